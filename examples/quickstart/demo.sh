#!/usr/bin/env bash
# The main job on the local workspace, in a temporary folder: seed, plan, apply, plan again, somebody edits, drift shows it.
# Every command is shown before it runs and held against its exit code, so that this ends with 1 when the product is broken.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=SCRIPTDIR/../showing.sh
. "$here/../showing.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$here/intercom" "$here/live.yaml" "$work"
cd "$work"

say "A workspace that is not as intercom/ declares it. It is a local one, no token is needed."
run 0 reconciler sandbox seed live.yaml

say "Is the manifest valid? This asks nobody."
run 0 reconciler validate intercom/

say "What would change? A plan only reads. With --detailed-exitcode, 2 means that there are changes."
run 2 reconciler plan intercom/ --sandbox -o plan.json --detailed-exitcode

say "Carry out exactly that plan."
run 0 reconciler apply plan.json --sandbox

say "A second plan finds nothing to do."
run 0 reconciler plan intercom/ --sandbox --detailed-exitcode | tee again.txt
shows again.txt "No changes. The workspace is as declared."

say "Somebody edits the live workspace by hand: renames a company, takes a tag off a contact."
contact=$(reconciler get contacts crew-2 --sandbox -o ids)
tag=$(reconciler get tags beta-2026 --sandbox -o ids)
run 0 reconciler api POST /companies -f company_id=serenity -f name=Firefly --sandbox > /dev/null
run 0 reconciler api DELETE "/contacts/$contact/tags/$tag" --sandbox > /dev/null

say "Drift shows it. Run this every night, and exit code 2 tells you. --fix -o saves the plan that puts it right."
run 2 reconciler drift intercom/ --sandbox --fix -o fix.json | tee edited.txt
shows edited.txt '"Firefly" → "Serenity Freight"'
shows edited.txt "attach tag/beta-2026 to contact/crew-2"
run 0 reconciler apply fix.json --sandbox

say "That was the main job. docs/tour.md goes through it step by step."
