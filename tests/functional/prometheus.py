"""A real Prometheus that scrapes one daemon each second, asked over its own API.

    with Prometheus(wp, tmp_path, rules=path) as prom:
        prom.catch_up()                              # what was counted until now has been scraped, and is what is asked for
        prom.value("sum(warmpool_requests_total)")
"""
import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from daemon import free_port

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: {rules}
scrape_configs:
  - job_name: warmpool
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    def __init__(self, wp, folder, rules=None):
        self.address = f"127.0.0.1:{free_port()}"
        self._moment = None  # of the scrape that is asked about; None: the latest
        (folder / "prometheus.yml").write_text(CONFIG.format(target=wp.admin, rules=json.dumps([str(rules)] if rules else [])))
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address={self.address}", "--log.level=warn"], stdout=self._log, stderr=subprocess.STDOUT)

    def ask(self, path, **params):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(params)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it starts
                raise
            raise AssertionError(f"{params}: {error.read().decode()}") from None

    def query(self, expression):
        """[({label: value}, number), …], of the scrape that catch_up() waited for: a later one may fail, or show something else."""
        moment = time.time() if self._moment is None else self._moment
        return [(row["metric"], float(row["value"][1])) for row in self.ask("query", query=expression, time=moment)["result"]]

    def value(self, expression):
        (_, number), = self.query(expression)
        return number

    def by(self, label, metric):
        """value of the label → number, those that are 0 left out."""
        return {labels[label]: number for labels, number in self.query(f"sum by ({label}) ({metric})") if number}

    def history(self, expression, began):
        """All values from then on, a second apart; of one series."""
        rows = self.ask("query_range", query=expression, start=began, end=time.time(), step=1)["result"]
        return [float(number) for row in rows for _, number in row["values"]]

    def wait(self, condition, timeout=30):
        deadline = time.monotonic() + timeout
        while True:
            try:
                if condition():
                    return
            except (OSError, ValueError):  # or has no sample yet
                pass
            log = pathlib.Path(self._log.name).read_text()
            assert self._process.poll() is None and time.monotonic() < deadline, log
            time.sleep(0.1)

    def catch_up(self):
        """A scrape that began after this call is over."""
        now, self._moment = time.time(), None

        def is_scraped():
            moment = self.value("timestamp(warmpool_ready)")
            self._moment = moment if moment > now else None
            return self._moment is not None
        self.wait(is_scraped)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
