"""The policy of a benchmark's site; each benchmark adds what it needs."""

SITE = """
[site]
name = "Benchmark"
zone = "Europe/Copenhagen"
language = "da"
country = ""

[pbx]
ami_port = {ami_port}
ami_secret_file = "ami.secret"
ari_url = "http://127.0.0.1:{ari_port}"
ari_secret_file = "ari.secret"

[http]
port = {http_port}
tokens_file = "tokens.toml"
presses_per_minute = 10000

[office_hours]
mon = ["08:00-16:00"]
"""
KEYS = """
[presses]
double_press_s = 0

[keys.warn]
does = "warn"
kind = "abuse"
code = "*91"

[keys.end]
does = "end"
kind = "rude"

[kinds.abuse]
may_end = true
wait_s = 0

# May be ended without a warning: the shortest way to an ending.
[kinds.rude]
warnings = 0
may_end = true
"""
SCREENS = """
[site]
name = "Benchmark"
zone = "Europe/Copenhagen"
language = "da"
country = ""

[pbx]
kind = "simulator"

[http]
port = {http_port}
tokens_file = "tokens.toml"
presses_per_minute = 10000

[presses]
double_press_s = 0

[office_hours]
mon = ["08:00-16:00"]

[keys.suicide]
does = "flag"
kind = "suicide"

[kinds.suicide]
latched = true
break_s = 60
page = "acute"

[sms.gateway]
url = "http://127.0.0.1:{gateway}/"
body = '{"to": "{to}", "text": "{text}"}'

[people.anna]
sms = "+4520304050"

[pages.acute]
last_resort = "anna"

[[pages.acute.steps]]
people = ["anna"]
wait_s = 600
"""
