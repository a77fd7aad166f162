"""Programs that tests run, from packages of Debian or Ubuntu: `python tests/debian.py haproxy nginx` installs them.

A program that is there already is left alone. Packages are installed as root, or by password-less sudo.
"""

import os
import shutil
import subprocess
import sys


def find_program(name):
    """Return the path of a program, also of one for administrators; None if there is none."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")


def install(package):
    """Install a package, and return whether that was possible."""
    become_root = [] if not hasattr(os, "geteuid") or os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (become_root and not shutil.which("sudo")):
        return False
    commands = [[*become_root, "apt-get", "update"], [*become_root, "apt-get", "install", "-y", package]]
    return all(run(command) for command in commands)


def run(command):
    """Run a command that installs something, and return whether it succeeded."""
    print("$", " ".join(command), flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, env=environment).returncode == 0


def main():
    """Make sure that there are the programs named, or say which is missing."""
    for name in sys.argv[1:]:
        if not find_program(name) and not (install(name) and find_program(name)):
            sys.exit(f"{name} could not be found or installed: install the package {name}.")
        print(f"{name} for the tests: {find_program(name)}")


if __name__ == "__main__":
    main()
