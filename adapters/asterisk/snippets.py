"""What Asterisk needs to work with Bagvagt, as text for a PBX engineer: `bagvagt pbx-config asterisk`.

Four small files: a manager user, an ARI user, feature codes, and a static dialplan include. No call is routed through
them: they are only reached when Bagvagt, or an agent's key, asks for it. Static, since what is added to the dialplan at
run time is wiped by every `dialplan reload`, and admin panels reload all the time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FEATURES = "bagvagt"
"""The feature group that a site's dialplan puts into `__DYNAMIC_FEATURES`."""

JOIN, CLOSING, RETURN, BRIEF, KEYS, ANSWER = (
    "bagvagt",
    "bagvagt-closing",
    "bagvagt-return",
    "bagvagt-brief",
    "bagvagt-keys",
    "bagvagt-answer",
)
AGAIN = "again"
"""Where, in [bagvagt-brief], a colleague who has joined steps aside for a moment."""
CONTEXTS = (JOIN, CLOSING, RETURN, BRIEF, KEYS, ANSWER)
TONES = {"accepted": "tone-accepted", "not_permitted": "tone-refused", "not_yet": "tone-not-yet"}

ALIVE_S = 25
"""Seconds for which an announcer stays in a call without a sign of life from Bagvagt."""

_CODE = re.compile(r"[0-9*#]{2,10}")  # Asterisk takes feature codes of up to 10 keys (features_config.c)
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MEDIA = re.compile(r"sound:[A-Za-z0-9_./:\[\]-]+")
_WORD = re.compile(r"[A-Za-z0-9_.+/=@:-]+")


@dataclass(frozen=True, slots=True)
class Media:
    """Where Asterisk finds the prompts.

    Attributes:
        base: `sound:http://host:port/prompts` (fetched from Bagvagt once and cached by Asterisk), or
            `sound:bagvagt` for files that were copied to the folder `bagvagt` of Asterisk's sounds.
    """

    base: str = "sound:bagvagt"

    def __post_init__(self) -> None:
        if not _MEDIA.fullmatch(self.base):
            raise ValueError(f"media base: {self.base!r} is not `sound:http://host:port/path` or `sound:folder`")

    def uri(self, name: str, language: str) -> str:
        """Return what ARI plays for this prompt; for a tone the language is `tones`."""
        return f"{self.base.rstrip('/')}/{language}/{name}{self._suffix}"

    def file(self, name: str, language: str) -> str:
        """Return the same for the dialplan's `Playback()`."""
        return self.uri(name, language).removeprefix("sound:")

    @property
    def _suffix(self) -> str:
        # Asterisk finds the best format of a local file by itself and wants no suffix; a URL is taken as it is.
        return ".wav" if "://" in self.base else ""


@dataclass(frozen=True, slots=True)
class AsteriskSide:
    """What the snippets say.

    Attributes:
        ami_user: the manager user.
        ami_secret: its secret.
        ari_user: the ARI user.
        ari_password: its password.
        permit: the address that Bagvagt connects from, as manager.conf writes it.
        media: where the prompts are.
        keys: key's name in the policy -> the code that agents dial in a call, for example `*91`.
        speed_dials: key's name in the policy -> the extension that an agent's phone calls, for example `8591`.
        key_token: what the events of our keys carry, so that a forged one is known; the same on both sides.
    """

    ami_user: str = "bagvagt"
    ami_secret: str = "CHANGE-ME"  # noqa: S105 - a placeholder that nobody can log in with is worse than none
    ari_user: str = "bagvagt"
    ari_password: str = "CHANGE-ME"  # noqa: S105 - as above
    permit: str = "127.0.0.1/255.255.255.255"
    media: Media = field(default_factory=Media)
    keys: Mapping[str, str] = field(default_factory=dict)
    speed_dials: Mapping[str, str] = field(default_factory=dict)
    key_token: str = ""

    def extensions(self) -> dict[str, str]:
        """Return what an agent's phone may call -> the key: speed dials, and the codes too, outside a call."""
        return {code: key for keys in (self.keys, self.speed_dials) for key, code in keys.items()}


def asterisk_snippets(side: AsteriskSide) -> dict[str, str]:
    """Return the files, name below `/etc/asterisk` -> text; the same text for the same values.

    Raises:
        ValueError: a value would mean something else in an Asterisk config file.
    """
    for what, value in (
        ("ami_user", side.ami_user),
        ("ami_secret", side.ami_secret),
        ("ari_user", side.ari_user),
        ("ari_password", side.ari_password),
        ("permit", side.permit),
        ("key_token", side.key_token),
    ):
        if not _WORD.fullmatch(value):
            raise ValueError(f"{what}: only letters, digits and _.+/=@:- are safe in an Asterisk config file")
    for key, code in (*side.keys.items(), *side.speed_dials.items()):
        if not _KEY.fullmatch(key) or not _CODE.fullmatch(code):
            raise ValueError(f"key {key!r}: {code!r} is not a code of 2 to 10 of 0-9 * #")
    asked = {(key, code) for keys in (side.keys, side.speed_dials) for key, code in keys.items()}
    if len(side.extensions()) != len(asked):
        raise ValueError("two keys have the same code or speed dial")
    return {
        "manager.d/bagvagt.conf": _manager(side),
        "ari.d/bagvagt.conf": _ari(side),
        "features.d/bagvagt.conf": _features(side),
        "extensions.d/bagvagt.conf": _extensions(side),
    }


def _manager(side: AsteriskSide) -> str:
    return f"""\
; Bagvagt's manager user. In manager.conf: enabled=yes, and   #include manager.d/*.conf
; Least rights: it follows calls, redirects and hangs up, pauses queue members. It can't originate, run commands or
; change the configuration.
[{side.ami_user}]
secret={side.ami_secret}
deny=0.0.0.0/0.0.0.0
permit={side.permit}
read=call,agent,dtmf,user
write=call,agent,reporting
; A reader that is slow for this long (ms) is cut off; the default of 100 is short.
writetimeout=5000
; A caller's number may hold line ends (a SIP From user with %0d%0a), and so whole events of the caller's own making.
; Events that hold an empty line in their middle are left out.
eventfilter=![[:cntrl:]]{{4}}[^[:cntrl:]]
; Better still, let no such number in. First in the context of your trunks:
;     same => n,Set(CALLERID(num)=${{FILTER(0-9+*#,${{CALLERID(num)}})}})
"""


def _ari(side: AsteriskSide) -> str:
    return f"""\
; Bagvagt's ARI user. In ari.conf: enabled=yes, and   #include ari.d/*.conf   ; in http.conf: enabled=yes, bindaddr=
; on an address that Bagvagt reaches and nobody else. With it Bagvagt speaks into calls, and rings colleagues, chiefs
; and those on call at the addresses in its policy, past your dialplan. A voice address Local/NUMBER@CONTEXT goes by it.
[{side.ari_user}]
type=user
read_only=no
password={side.ari_password}
password_format=plain
"""


def _features(side: AsteriskSide) -> str:
    entries = "".join(
        f"bagvagt-{key} => {code},self/callee,UserEvent(BagvagtKey,Key: {key},At: ${{EPOCH}},Token: {side.key_token})\n"
        for key, code in side.keys.items()
    )
    group = "".join(f"bagvagt-{key} => {code}\n" for key, code in side.keys.items())
    return f"""\
; Keys that an agent presses in a call. In features.conf:   #include features.d/*.conf
; `self/callee`: only the one who was called (the agent) can press them; the caller does not hear the digits.
; They work in calls whose channel has the group: put this line before Queue() or Dial() in your dialplan
;     same => n,Set(__DYNAMIC_FEATURES={FEATURES})
; (if you use dynamic features already: `#` between the names); or, for all calls and without touching a line of it,
; DYNAMIC_FEATURES={FEATURES} in [globals] of extensions.conf. The media must pass through Asterisk:
; direct_media=no for agents and trunks.
[applicationmap]
{entries}
[{FEATURES}]
{group}"""


def _extensions(side: AsteriskSide) -> str:
    media = side.media
    named = media.file("${CUT(EXTEN,_,3)}", "${CUT(EXTEN,_,2)}")
    answers = "".join(
        f"exten => {verdict},1,Playback({media.file(tone, 'tones')})\n same => n,Hangup()\n"
        for verdict, tone in TONES.items()
    )
    keys = "".join(
        f"exten => {code},1,Answer()\n"
        f" same => n,UserEvent(BagvagtKey,Key: {key},Source: speed_dial,At: ${{EPOCH}},Token: {side.key_token})\n"
        " same => n,Wait(2)\n same => n,Hangup()\n"
        for code, key in side.extensions().items()
    )
    return f"""\
; Bagvagt's dialplan. In extensions.conf:   #include extensions.d/*.conf
; Include nothing of it in your own contexts, but for [{KEYS}] (see there).

; A voice for announcements joins the call of ${{BAGVAGT_LEG}}; the call itself is not moved. It leaves after so many
; seconds, unless Bagvagt lives and says so: a call must end as always, should Bagvagt have died.
[{JOIN}]
exten => join,1,Set(TIMEOUT(absolute)={ALIVE_S})
 same => n,BridgeAdd(${{BAGVAGT_LEG}})
 same => n,Hangup()

; A caller whose call is over hears why and is disconnected; by itself, also when Bagvagt has died meanwhile.
; The extension names the prompt: p_<language>_<name>; p__ is none.
[{CLOSING}]
exten => p__,1,Hangup()
exten => _p_.,1,Playback({named})
 same => n,GotoIf($["${{PLAYBACKSTATUS}}" = "SUCCESS"]?over)
 same => n,PlayTones(congestion)
 same => n,Wait(3)
 same => n(over),Hangup()

; A caller who was let go by mistake: music, and the agent is rung again and again. Never hangs up by itself.
[{RETURN}]
exten => s,1,Set(BAGVAGT_TRY=0)
 same => n(agent),Set(BAGVAGT_TRY=$[${{BAGVAGT_TRY}} + 1])
 same => n,Dial(${{BAGVAGT_AGENT}},20,m)
 same => n,GotoIf($["${{DIALSTATUS}}" = "ANSWER"]?over)
 same => n,StartMusicOnHold()
 same => n,GotoIf($["${{BAGVAGT_QUEUE}}" = "" | ${{BAGVAGT_TRY}} % 3 != 0]?again)
 same => n,Queue(${{BAGVAGT_QUEUE}},,,,30)
 same => n,StartMusicOnHold()
 same => n(again),Wait(2)
 same => n,Goto(agent)
 same => n(over),Hangup()

; A colleague who was rung hears what it is about, alone, and then joins the call.
[{BRIEF}]
exten => s,1,Answer()
 same => n,GotoIf($["${{BAGVAGT_BRIEF}}" = ""]?confirm)
 same => n,Playback(${{BAGVAGT_BRIEF}})
 same => n(confirm),GotoIf($["${{BAGVAGT_CONFIRM}}" = ""]?join)
 same => n,Read(BAGVAGT_KEY,${{BAGVAGT_CONFIRM}},1,,2,5)
 same => n,GotoIf($["${{BAGVAGT_KEY}}" = "1"]?join)
 same => n,Hangup()
 same => n(join),BridgeAdd(${{BAGVAGT_LEG}})
 same => n,Hangup()
; A call in which the caller's leg is sent nothing is cured by going back to two for a moment.
exten => {AGAIN},1,Wait(0.5)
 same => n,BridgeAdd(${{BAGVAGT_LEG}})
 same => n,Hangup()

; Keys by speed dial: an agent's phone calls the code, the call under way is held or up. In your agents' context:
;     include => {KEYS}
; A pattern of that context's own (such as _X.) wins over what it includes. Then, for each key that it would take:
;     exten => 8591,1,Goto({KEYS},8591,1)
[{KEYS}]
{keys}
; The answer to such a key, as a short tone, or as the prompt that the extension names (see [{CLOSING}]).
[{ANSWER}]
{answers}exten => _p_.,1,Playback({named})
 same => n,GotoIf($["${{PLAYBACKSTATUS}}" = "SUCCESS"]?over)
 same => n,Playback({media.file(TONES["accepted"], "tones")})
 same => n(over),Hangup()
"""
