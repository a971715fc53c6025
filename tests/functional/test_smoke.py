"""The main job: a script's plain HTTP goes out over pooled TLS, and comes back."""
import requests

KEY = "0123456789abcdef0123456789abcdef"


def test_a_submit_and_its_poll(sim, wp):
    wp.secrets.append(KEY)
    answer = requests.get(wp.url + "/in.php", params={"key": KEY, "method": "userrecaptcha", "googlekey": "x", "pageurl": "y"})
    assert answer.text.startswith("OK|")
    poll = requests.get(wp.url + "/res.php", params={"key": KEY, "action": "get", "id": answer.text[3:]})
    assert poll.status_code == 200
    assert wp.wait_log("class=poll")
