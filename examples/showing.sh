# shellcheck shell=bash
# What the demos share, read by each with `.`: every command is shown before it runs and held against its exit code.

command -v reconciler > /dev/null || { echo "reconciler is not on the PATH: activate .venv, or use \`make demo\` and \`make fleet\`" >&2; exit 1; }
unset INTERCOM_ACCESS_TOKEN INTERCOM_BASE_URL RECONCILER_LEDGER RECONCILER_LEDGER_KEY RECONCILER_FLEET
unset CI  # where it is set, `api` wants a word more before it writes
exec 3>&1  # commands are shown here, wherever their output goes

say() { printf '\n== %s\n' "$1"; }

# run CODE COMMAND…: show a command, run it, insist on its exit code.
run() {
    local wanted=$1 code=0
    shift
    printf '\n$ %s\n' "$*" >&3
    "$@" || code=$?
    [ "$code" = "$wanted" ] || { echo "demo: this ended with $code, $wanted was expected" >&2; exit 1; }
}

# shows FILE TEXT: insist on what an output says.
shows() { grep -qF -- "$2" "$1" || { echo "demo: expected to read: $2" >&2; exit 1; }; }
