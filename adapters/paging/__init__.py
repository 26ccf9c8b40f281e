"""How an alarm reaches people: MQTT and SMS, behind one port."""
