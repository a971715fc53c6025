"""docs/grafana/warmpool-rules.yml: each alert fires on what it is for, and not before. By Prometheus' own `promtool test rules`."""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from daemon import ROOT

RULES = ROOT / "docs/grafana/warmpool-rules.yml"
RULE = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
TARGET = {"instance": "pool:8081", "job": "warmpool"}
# What the samples are, one a minute: nothing for ten minutes, then something.
LATE = "0x10 {}"
STEPS = LATE.format("1+1x20")

# alert: (metric with labels: samples), quiet at minute, fires at minute, what its templates say
CASES = {
    "WarmpoolDown": ({"up": "1x10 0x10"}, 10, 12, []),
    "WarmpoolNotReady": ({"warmpool_ready": "1x10 0x10"}, 11, 14, []),
    "WarmpoolBreakerOpen": ({"warmpool_breaker_open": "0x10 1x10"}, 10, 11, []),
    "WarmpoolOutcomeUnknown": ({'warmpool_unknown_fates_total{class="submit"}': "0x10 1x10",
                                'warmpool_unknown_fates_total{class="solve"}': "0x20"}, 10, 11, []),
    "WarmpoolAnswersUnread": ({'warmpool_unread_answers_total{class="submit"}': "0x10 1x10"}, 10, 11, []),
    "WarmpoolAccountTrouble": ({'warmpool_api_answers_total{kind="ERROR_ZERO_BALANCE"}': STEPS,
                                'warmpool_api_answers_total{kind="ok"}': "0+60x30"}, 11, 13, []),
    "WarmpoolQueueWaits": ({'warmpool_queue_wait_seconds_bucket{class="poll",le="0.000128"}': "0+60x10 600x20",
                            'warmpool_queue_wait_seconds_bucket{class="poll",le="1.048576"}': "0+60x10 600x20",
                            'warmpool_queue_wait_seconds_bucket{class="poll",le="2.097152"}': "0+60x30",
                            'warmpool_queue_wait_seconds_bucket{class="poll",le="+Inf"}': "0+60x30",
                            'warmpool_queue_wait_seconds_bucket{class="solve",le="+Inf"}': "0+60x30"}, 10, 24, ["2.087s"]),
    "WarmpoolQueueRefuses": ({'warmpool_error_replies_total{error="QUEUE_TIMEOUT"}': STEPS,
                              'warmpool_error_replies_total{error="SUBMIT_UNKNOWN"}': "0+1x30"}, 10, 11, []),
    "WarmpoolSaturated": ({'warmpool_upstream_connections{state="leased"}': "10x10 24x10",
                           'warmpool_upstream_connections{state="idle"}': "15x10 1x10",
                           "warmpool_upstream_connections_max": "25x20"}, 14, 17, ["96%"]),
    "WarmpoolClientsFull": ({'warmpool_client_connections{phase="idle"}': "100x10 900x10",
                             'warmpool_client_connections{phase="waiting"}': "50x20",
                             "warmpool_client_connections_max": "1000x20"}, 14, 17, ["95%"]),
    "WarmpoolBuffersFull": ({"warmpool_buffered_bytes": "0x10 90x10", "warmpool_buffered_bytes_max": "100x20"}, 10, 11, []),
    "WarmpoolCertificate": ({'warmpool_connect_failures_total{error="TLS_CERTIFICATE"}': STEPS}, 10, 11, []),
    "WarmpoolConnectFails": ({'warmpool_connect_failures_total{error="CONNECT_TIMEOUT"}': LATE.format("2+2x10"),
                              'warmpool_connect_failures_total{error="TLS_CERTIFICATE"}': "0+9x20"}, 12, 14, []),
    "WarmpoolDnsFails": ({"warmpool_dns_failures_total": STEPS, "warmpool_dns_age_seconds": "0+60x40"}, 12, 15, ["15m 0s"]),
    "WarmpoolRepeats": ({'warmpool_repeats_total{evidence="undelivered"}': "0x10 3+3x40",
                         'warmpool_repeats_total{evidence="unsent"}': "0x50",
                         'warmpool_upstream_requests_total{class="poll"}': "0+60x50"}, 25, 45, ["5%"]),
    "WarmpoolDescriptors": ({"process_open_fds": "10x10 90x10", "process_max_fds": "100x20",
                             'warmpool_build_info{version="1"}': "1x20"}, 10, 12, []),
    "WarmpoolLogDropped": ({"warmpool_log_lines_dropped_total": STEPS}, 10, 11, []),
}
# The other way to the same alert.
ALTERNATIVES = [
    ("WarmpoolBreakerOpen", {"warmpool_breaker_trips_total": STEPS}, 10, 11, []),
    ("WarmpoolBuffersFull", {'warmpool_error_replies_total{error="BUFFERED_FULL"}': STEPS}, 10, 11, []),
    ("WarmpoolDescriptors", {'warmpool_connect_failures_total{error="NO_DESCRIPTORS"}': STEPS}, 10, 11, []),
]
ROWS = [(alert, *case) for alert, case in CASES.items()] + ALTERNATIVES


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)


def series(name, values):
    own = "".join(f',{key}="{value}"' for key, value in TARGET.items())
    metric, _, labels = name.partition("{")
    return {"series": f"{metric}{{{(labels.rstrip('}') + own).lstrip(',')}}}", "values": values}


def summary_of(alert, said):
    text = RULE[alert]["annotations"]["summary"].replace("{{ $labels.instance }}", TARGET["instance"])
    said = iter(said)
    return re.sub(r"\{\{ with .*end \}\}|\{\{.*?\}\}", lambda _: next(said), text)


def test_every_alert_has_a_case():
    assert set(CASES) == set(RULE)


def test_promtool_accepts_the_rules():
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0 and f"{len(RULE)} rules found" in done.stdout, done


@pytest.mark.parametrize("alert, inputs, quiet, fires, said", ROWS)
def test_it_fires_on_what_it_is_for(tmp_path, alert, inputs, quiet, fires, said):
    shutil.copy(RULES, tmp_path / "rules.yml")
    expected = [{"exp_labels": {**TARGET, **RULE[alert]["labels"]}, "exp_annotations": {"summary": summary_of(alert, said)}}]
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [{
        "interval": "1m",
        "input_series": [series(name, values) for name, values in inputs.items()],
        "alert_rule_test": [{"eval_time": f"{quiet}m", "alertname": alert, "exp_alerts": []},
                            {"eval_time": f"{fires}m", "alertname": alert, "exp_alerts": expected}]}]}
    (tmp_path / "tests.yml").write_text(json.dumps(tests))
    done = promtool("test", "rules", str(tmp_path / "tests.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
