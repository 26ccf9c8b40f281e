"""The lab Asterisk's configuration: a small contact centre, as text.

Every file `X.conf` includes `X.d/*.conf`, as Debian's own `manager.conf` does, so that what is under test
(`bagvagt pbx-config asterisk`) is dropped in and not mixed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.slots import Slot

AMI_USER = ARI_USER = "lab"
AMI_SECRET = ARI_PASSWORD = "lab-secret"
# Callers come from an address of their own: Asterisk knows a trunk by it, whatever number a caller shows.
CALLERS_IP = "127.0.0.2"
QUEUE = "support"
QUEUE_EXTENSION = "1000"
MOH_HZ = 350
FIRST_AGENT_EXTENSION = 201
# Modules that only cost time at start here, or complain about what a lab does not have.
NOLOAD = """
app_alarmreceiver app_festival app_jack app_minivm app_sms app_voicemail app_voicemail_odbc cdr_adaptive_odbc
cdr_csv cdr_custom cdr_manager cdr_odbc cdr_pgsql cdr_radius cdr_sqlite3_custom cdr_tds cel_custom cel_manager
cel_odbc cel_pgsql cel_radius cel_sqlite3_custom cel_tds chan_console chan_iax2 chan_motif chan_unistim
func_odbc pbx_ael pbx_dundi pbx_lua pbx_realtime pbx_spool res_adsi res_ael_share res_aeap
res_calendar res_calendar_caldav res_calendar_ews res_calendar_exchange res_calendar_icalendar res_config_curl
res_config_ldap res_config_odbc res_config_pgsql res_config_sqlite3 res_fax res_fax_spandsp res_geolocation
res_hep res_hep_pjsip res_hep_rtcp res_odbc res_odbc_transaction res_phoneprov res_pjsip_geolocation
res_pjsip_phoneprov_provider res_pjsip_stir_shaken res_pjsip_transport_websocket res_prometheus
res_resolver_unbound res_smdi res_snmp res_speech_aeap res_stir_shaken res_stun_monitor res_xmpp
app_amd app_followme app_getcpeid res_parking res_pjsip_notify res_pjsip_config_wizard res_clialiases
chan_websocket app_adsiprog app_agent_pool app_confbridge app_page app_sla app_speech_utils
"""


@dataclass(frozen=True)
class Site:
    """What stands in the lab's contact centre.

    Attributes:
        agents: names of phones; each is an endpoint, identified by the From user, with a fixed port.
        members: those of them that are static members of the queue; others can join by AMI.
        before_queue: dialplan applications that run on the caller before `Queue()`.
        before_dial: the same, before an agent's or a feature's outgoing `Dial()`.
        queue_options: options of `Queue()`.
        agent_includes: contexts included in the agents' context, for feature extensions.
        extra: file below the config folder → its text, such as `features.d/bagvagt.conf`.
        without: files of the base config that are left out (a test of a PBX that lacks something).
    """

    agents: Sequence[str] = ("agent1", "agent2", "colleague", "chief")
    members: Sequence[str] = ("agent1",)
    before_queue: Sequence[str] = ()
    before_dial: Sequence[str] = ()
    queue_options: str = ""
    agent_includes: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()


def files(site: Site, slot: Slot) -> dict[str, str]:
    """Every config file: name below the config folder → text."""
    base = {
        "asterisk.conf": _asterisk(),
        "modules.conf": "[modules]\nautoload=yes\n" + "".join(f"noload={m}.so\n" for m in NOLOAD.split()),
        "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error,verbose(3)\n",
        "manager.conf": _manager(slot),
        "http.conf": f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={slot.http}\n",
        "ari.conf": f"[general]\nenabled=yes\n[{ARI_USER}]\ntype=user\npassword={ARI_PASSWORD}\n",
        "rtp.conf": f"[general]\nrtpstart={slot.rtp[0]}\nrtpend={slot.rtp[1]}\nicesupport=no\n",
        "pjsip.conf": _pjsip(site, slot),
        "queues.conf": _queues(site),
        "musiconhold.conf": "[default]\nmode=files\ndirectory=moh\n",
        "features.conf": "[general]\n",
        "extensions.conf": _extensions(site),
        "cdr.conf": "[general]\nenable=no\n",
        "cel.conf": "[general]\nenable=no\n",
        "stasis.conf": "",
        "udptl.conf": "[general]\n",
        "statsd.conf": "[general]\n",
        "indications.conf": "[general]\ncountry=dk\n[dk]\nringcadence=1000,4000\nring=425/1000,0/4000\n",
        "websocket_client.conf": "",  # ARI refuses to load without it
        "res_http_media_cache.conf": "[general]\n",
    }
    made = {name: text for name, text in base.items() if name not in site.without}
    for name, text in site.extra.items():
        folder, _, _ = name.partition("/")
        parent = folder.removesuffix(".d") + ".conf"
        include = f"\n#include {folder}/*.conf\n"
        if folder.endswith(".d") and include not in made.get(parent, ""):
            made[parent] = made.get(parent, "") + include
        made[name] = text
    return made


def _asterisk() -> str:
    return """\
[directories]
astetcdir => /lab/etc
astvarlibdir => /lab/var
astdbdir => /lab/var
astdatadir => /lab/data
astkeydir => /lab/var
astspooldir => /lab/spool
astrundir => /lab/run
astlogdir => /lab/log
astcachedir => /lab/cache
[options]
; A box with many cores would start a thread for each; the lab shares the machine.
documentation_language = en_US
"""


def _manager(slot: Slot) -> str:
    return f"""\
[general]
enabled=yes
bindaddr=127.0.0.1
port={slot.ami}
webenabled=no
[{AMI_USER}]
secret={AMI_SECRET}
read=all
write=all
writetimeout=5000
"""


def _pjsip(site: Site, slot: Slot) -> str:
    text = f"""\
[global]
type=global
endpoint_identifier_order=ip,username
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{slot.sip}
[leg](!)
type=endpoint
transport=udp
disallow=all
allow=alaw
; Asterisk must stay in the media path: it hears the keys, and it is who speaks to the caller.
direct_media=no
ice_support=no
media_address=127.0.0.1
bind_rtp_to_media_address=yes
rtp_symmetric=no
dtmf_mode=rfc4733
[caller](leg)
context=from-caller
aors=caller
[caller]
type=aor
contact=sip:{CALLERS_IP}:{slot.phone(0)}
[caller]
type=identify
endpoint=caller
match={CALLERS_IP}
"""
    for number, agent in enumerate(site.agents):
        extension = FIRST_AGENT_EXTENSION + number
        text += f"""\
[{agent}](leg)
context=from-agent
aors={agent}
callerid={agent} <{extension}>
[{agent}]
type=aor
contact=sip:{agent}@127.0.0.1:{slot.phone(number + 1)}
"""
    return text


def _queues(site: Site) -> str:
    members = "".join(f"member => PJSIP/{name},0,{name},PJSIP/{name}\n" for name in site.members)
    return f"""\
[general]
persistentmembers=yes
; Without it one caller at a time is served.
autofill=yes
[{QUEUE}]
strategy=rrmemory
timeout=15
retry=1
wrapuptime=0
ringinuse=no
joinempty=yes
musicclass=default
{members}"""


def _extensions(site: Site) -> str:
    def applications(lines: Sequence[str]) -> str:
        return "".join(f" same => n,{line}\n" for line in lines)

    to_queue = applications(site.before_queue)
    to_dial = applications(site.before_dial)
    includes = "".join(f"include => {name}\n" for name in site.agent_includes)
    numbers = "".join(
        f"exten => {extension},1,NoOp(to {agent})\n{to_dial} same => n,Dial(PJSIP/{agent},30)\n same => n,Hangup()\n"
        for extension, agent in enumerate(site.agents, FIRST_AGENT_EXTENSION)
    )
    return f"""\
[from-caller]
exten => {QUEUE_EXTENSION},1,NoOp(the queue)
{to_queue} same => n,Queue({QUEUE},{site.queue_options})
 same => n,Hangup()
{numbers}[from-agent]
{includes}exten => {QUEUE_EXTENSION},1,Goto(from-caller,{QUEUE_EXTENSION},1)
{numbers}; Anything else goes out by the trunk: a mobile phone, or a citizen who is rung back.
exten => _X.,1,NoOp(out)
{to_dial} same => n,Dial(PJSIP/${{EXTEN}}@caller,60)
 same => n,Hangup()
"""
