#!/bin/bash
# Makes sure that the programs of `make test-sites` are there, and says what it installs.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
declare -A PACKAGES=(
    [slurmctld]=slurmctld [slurmd]=slurmd [sbatch]=slurm-client [munged]=munge
    [sshd]=openssh-server [ssh]=openssh-client [rsync]=rsync
)
wanted=()
for program in "${!PACKAGES[@]}"; do
    command -v "$program" > /dev/null || wanted+=("${PACKAGES[$program]}")
done
if [ ${#wanted[@]} -eq 0 ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "test-sites needs ${wanted[*]}; install them, for instance: apt-get install ${wanted[*]}" >&2
    exit 1
fi
echo "test-sites installs Debian's ${wanted[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${wanted[@]}"
