"""How an alarm reaches people: MQTT, SMS, a phone call, e-mail and Apprise, behind one port."""
