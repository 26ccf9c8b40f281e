"""Why a key did what it did. A code for machines, a sentence for people; every answer and refusal carries one."""

from enum import StrEnum


class Reason(StrEnum):
    """The code; `SENTENCES` has the words."""

    WARNING_STARTED = "warning_started"
    WARNING_PLAYING = "warning_playing"
    WARNING_NOT_HEARD = "warning_not_heard"
    WARNING_FAILED = "warning_failed"
    NO_WARNING_YET = "no_warning_yet"
    WARNING_TOO_OLD = "warning_too_old"
    WAIT = "wait"
    ENDING = "ending"
    ENDED = "ended"
    END_REFUSED = "end_refused"
    END_UNKNOWN = "end_unknown"
    NOT_SAVED = "not_saved"
    KIND_NOT_ENDED = "kind_not_ended"
    NO_SUCH_KIND = "no_such_kind"
    LATCHED = "latched"
    LATCH_NEEDS_SECOND = "latch_needs_second"
    FLAGGED = "flagged"
    ACUTE = "acute"
    CALL_CHANGED = "call_changed"
    CALL_ENDING = "call_ending"
    NO_CALL = "no_call"
    SEVERAL_CALLS = "several_calls"
    TOO_LATE = "too_late"
    SAME_PRESS = "same_press"
    PBX_AWAY = "pbx_away"
    RINGING = "ringing"
    CHIEF_RINGING = "chief_ringing"
    NOBODY_FREE = "nobody_free"
    NOBODY_ANSWERED = "nobody_answered"
    JOINED = "joined"
    LEAVING = "leaving"
    LEAVE_REFUSED = "leave_refused"
    NOT_TRANSFERABLE = "not_transferable"
    TAKE_OVER = "take_over"
    BREAK_ON = "break_on"
    BREAK_REFUSED = "break_refused"
    BREAK_OVER = "break_over"
    NO_BREAK = "no_break"
    BREAK_NOT_YOURS = "break_not_yours"


SENTENCES: dict[Reason, str] = {
    Reason.WARNING_STARTED: "The caller is being warned.",
    Reason.WARNING_PLAYING: "The warning is still playing.",
    Reason.WARNING_NOT_HEARD: "The caller did not hear the warning. Press again.",
    Reason.WARNING_FAILED: "The warning could not be played. The call may not be ended.",
    Reason.NO_WARNING_YET: "The caller has not heard the warning yet.",
    Reason.WARNING_TOO_OLD: "The warning was too long ago; a new one is needed.",
    Reason.WAIT: "The caller has been warned. Wait a moment before ending.",
    Reason.ENDING: "You are free. The caller hears the closing message.",
    Reason.ENDED: "The call is over.",
    Reason.END_REFUSED: "The call was not ended: it is not the call that was warned.",
    Reason.NOT_SAVED: "The call was not ended: it could not be written down.",
    Reason.END_UNKNOWN: "The PBX did not answer. Look whether the call is still there.",
    Reason.KIND_NOT_ENDED: "A call of this kind may not be ended.",
    Reason.NO_SUCH_KIND: "Policy does not know this kind of call.",
    Reason.LATCHED: "Acute: no key ends this call.",
    Reason.LATCH_NEEDS_SECOND: "One person has agreed; a second one is needed.",
    Reason.FLAGGED: "The call is marked.",
    Reason.ACUTE: "Acute. The backup is being called. Stay with the caller.",
    Reason.CALL_CHANGED: "The call has changed hands; the caller must be warned anew.",
    Reason.CALL_ENDING: "The call is being ended already.",
    Reason.NO_CALL: "You have no call.",
    Reason.SEVERAL_CALLS: "You have several calls. Press the key in the one that you mean.",
    Reason.TOO_LATE: "The key came too late to be safe. Press again.",
    Reason.SAME_PRESS: "Already done.",
    Reason.PBX_AWAY: "Protection is off: the telephone system does not answer.",
    Reason.RINGING: "A colleague is being called. Stay with the caller.",
    Reason.CHIEF_RINGING: "The chief is being called. Stay with the caller.",
    Reason.NOBODY_FREE: "Nobody is free. The call goes on as it was.",
    Reason.NOBODY_ANSWERED: "Nobody answered. The call goes on as it was.",
    Reason.JOINED: "Your colleague is in the call.",
    Reason.LEAVING: "You are leaving the call.",
    Reason.LEAVE_REFUSED: "You stay in the call: your colleague is not in it.",
    Reason.NOT_TRANSFERABLE: "A call of this kind is not handed over.",
    Reason.TAKE_OVER: "Help is coming into your call. Stay with the caller.",
    Reason.BREAK_ON: "You are on a break.",
    Reason.BREAK_REFUSED: "The telephone system refused the pause; it is being tried again.",
    Reason.BREAK_OVER: "The break is over.",
    Reason.NO_BREAK: "You are not on a break.",
    Reason.BREAK_NOT_YOURS: "Policy does not let you end the break yourself.",
}
