#!/usr/bin/env bash
# A fleet in a temporary folder: demo.sh [NUMBER [postgresql|local]]. With postgresql: a server of its own and two workers.
# Every command is shown before it runs and held against its exit code, so that this ends with 1 when the product is broken.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
number=${1:-30} engine=${2:-postgresql}

# shellcheck source=SCRIPTDIR/../showing.sh
. "$here/../showing.sh"

work=$(mktemp -d)
others=""
end() {
    # shellcheck disable=SC2086  # one number a process
    if [ -n "$others" ]; then kill $others 2> /dev/null || true; fi
    exec 4>&-  # with which the database ends
    wait
    rm -rf "$work"
}
trap end EXIT
cp -R "$here/intercom" "$here/customers.py" "$here/database.py" "$work"
sed "s/^engine: [a-z]*/engine: $engine/" "$here/fleet.yaml" > "$work/fleet.yaml"
cd "$work"

# first_line FILE: wait for the address that a server prints.
first_line() {
    for _ in $(seq 600); do
        if [ -s "$1" ]; then sed 1q "$1"; return; fi
        sleep 0.1
    done
    echo "demo: nothing began to answer within a minute" >&2
    return 1
}

# newest: the id of the rollout that began last.
newest() { reconciler fleet status | sed -n 's/^\([0-9]\{8\}T[^ ]*\)  .*/\1/p' | sed -n 1p; }

say "$number customers, each with a workspace of its own. They are local ones, no token of Intercom is needed."
python customers.py "$number" > address.txt &
others=$!
url=$(first_line address.txt)

if [ "$engine" = postgresql ]; then
    say "A PostgreSQL of this demo's own, and two workers."
    mkfifo until
    python database.py < until > database.txt &
    exec 4> until
    RECONCILER_FLEET=$(first_line database.txt)
    RECONCILER_LEDGER_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    export RECONCILER_FLEET RECONCILER_LEDGER_KEY
    for worker in 1 2; do
        reconciler fleet worker --jobs 4 > "worker-$worker.txt" 2>&1 4>&- &
        others="$others $!"
    done
fi

say "Is the fleet valid? This asks nobody."
run 0 reconciler fleet validate

say "What would change? Customers with the same plan are one line."
run 2 reconciler fleet plan --detailed-exitcode | tee plan.txt
shows plan.txt "create tag/vip"

say "Carry that out, wave by wave: two or three canaries first."
run 0 reconciler fleet apply "$(newest)"

say "A bad rollout: a new tag names the desk of the customer, nobody entered that of desk02, and nobody ran validate."
# shellcheck disable=SC2016  # the variable is filled by reconciler
echo 'tags: [{name: escalated, description: "Went to ${RECONCILER_VAR_DESK}"}]' > intercom/desks.yaml
run 5 reconciler fleet apply --auto-approve | tee stopped.txt
shows stopped.txt "wave canary: 1 of "

say "The canary stopped it, so nobody else has the tag: not the last customer, say."
last=$(printf 'desk%02d' "$number")
INTERCOM_BASE_URL=$url/$last INTERCOM_ACCESS_TOKEN=token-of-$last run 0 reconciler get tags > last.txt
if grep escalated last.txt; then echo "demo: the rollout went on behind the canary" >&2; exit 1; fi

say "Enter what is missing, and go on: only what failed or was held is run."
sed 's/^\(desk02,[^,]*,[^,]*\),,/\1,d02,/' workspaces.csv > mended.csv
mv mended.csv workspaces.csv
run 0 reconciler fleet resume "$(newest)"

say "Somebody deletes a tag in the workspace of one customer. The look of the night finds it, and \`apply\` puts it right."
(
    export INTERCOM_BASE_URL=$url/desk03 INTERCOM_ACCESS_TOKEN=token-of-desk03
    run 0 reconciler api DELETE "/tags/$(reconciler get tags vip -o ids)" > /dev/null
)
run 2 reconciler fleet drift | tee drift.txt
shows drift.txt "1 workspace: "
run 0 reconciler fleet apply "$(newest)"

say "That was a fleet. docs/fleet.md goes through it step by step."
