"""Shifts from calendars (iCalendar, RFC 5545): read, fetched, kept for when the source is down."""

from adapters.calendars.calendars import Calendars, CalendarState
from adapters.calendars.ics import CalendarError, Unclear

__all__ = ["CalendarError", "CalendarState", "Calendars", "Unclear"]
