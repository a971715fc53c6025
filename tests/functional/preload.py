"""Libraries of ours that come before all others in the daemon: preload_NAME.c says what each does."""
import os
import pathlib
import shutil
import subprocess

_FOLDER = pathlib.Path(__file__).resolve().parent


def environment(directory, name):
    """What the daemon's environment must hold; None when there is no compiler here."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = pathlib.Path(directory) / f"{name}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(_FOLDER / f"preload_{name}.c")], check=True)
    # A sanitizer's own library wants to be the first.
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
