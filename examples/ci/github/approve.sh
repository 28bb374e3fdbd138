#!/usr/bin/env bash
# `/approve HASH:PEOPLE`, a comment on a pull request: who may say so, and whether it is what the current plan asks for. The action runs it with
# `command: approve`. What was written comes in by the environment alone: COMMENT, WHO, NUMBER.
#
# With `approved=…` in $GITHUB_OUTPUT the approval lies in $OUT/approvals.txt, for the plan of that name and the run that made it.
set -euo pipefail

OUT=${OUT:-out}

main() {
  mkdir -p "$OUT"
  if ! [[ $COMMENT =~ ^/approve[[:blank:]]+([0-9a-f]{12}:[0-9]+)[[:space:]]*$ ]]; then
    reply "Write \`/approve HASH:PEOPLE\` as the plan prints it, and nothing else."
  fi
  word=${BASH_REMATCH[1]}
  [[ $WHO =~ ^[A-Za-z0-9-]+$ ]] || reply "Only a person can approve."
  check_right
  find_plan
  if ! jq --raw-output '.refused[].approve // empty' "$OUT/$plan" | grep -qxF -- "$word"; then
    asked=$(jq --raw-output '[.refused[].approve // empty | "`/approve \(.)`"] | unique | join(", ")' "$OUT/$plan")
    reply "\`$word\` is not what the plan of ${sha:0:12}, the head of this branch, asks for: an approval holds for exactly the changes that it
was printed for. It asks for ${asked:-nothing}."
  fi
  check_owner
  # Another one for the same plan stays.
  grep -xE '[0-9a-f]{12}:[0-9]+' "$OUT/before.txt" 2>/dev/null >"$OUT/approvals.txt" || true
  grep -qxF -- "$word" "$OUT/approvals.txt" || echo "$word" >>"$OUT/approvals.txt"
  { echo "approved=approval-$plan"; echo "run=$run"; } >>"$GITHUB_OUTPUT"
}

# Answer, and end.
reply() {
  printf '%s\n' "$1" >"$OUT/reply.md"
  gh pr comment "$NUMBER" --body-file "$OUT/reply.md"
  printf '%s\n' "$1" >&2
  exit 0
}

check_right() {
  local right
  right=$(gh api "repos/$GH_REPO/collaborators/$WHO/permission" --jq .permission)
  case $right in
    admin | write) ;;
    *) reply "@$WHO may not write to this repository, so this approves nothing." ;;
  esac
}

# The plan of the head of the branch: $plan in $OUT, made by $run for $sha.
find_plan() {
  local state home status
  read -r state sha home < <(gh api "repos/$GH_REPO/pulls/$NUMBER" --jq '"\(.state) \(.head.sha) \(.head.repo.full_name)"')
  [ "$state" = open ] || reply "This pull request is closed, so this approves nothing."
  [ "$home" = "$GH_REPO" ] || reply "This branch lies in a fork, which has no plan: push it to this repository itself."
  read -r run status < <(gh api "repos/$GH_REPO/actions/workflows/intercom-plan.yml/runs?head_sha=$sha&event=pull_request&per_page=1" \
    --jq '.workflow_runs[0] | "\(.id) \(.status)"')
  [ "$status" = completed ] || reply "There is no plan of ${sha:0:12} yet. Approve when it is there."
  plan=$(gh api "repos/$GH_REPO/actions/runs/$run/artifacts" --jq '[.artifacts[].name | select(test("^plan-[a-zA-Z0-9.-]+$"))][0] // empty')
  [ -n "$plan" ] || reply "There is no plan of ${sha:0:12}, so there is nothing to approve."
  gh run download "$run" --name "$plan" --dir "$OUT"
  "$(dirname "$0")/fetch.sh" "approval-$plan" "$OUT/kept"
  if [ -f "$OUT/kept/approvals.txt" ]; then mv "$OUT/kept/approvals.txt" "$OUT/before.txt"; fi
}

# By the CODEOWNERS of the main branch, which is checked out.
check_owner() {
  local owner
  reconciler codeowners of "$OUT/$plan" >"$OUT/owners.txt"
  while read -r owner; do
    case ${owner,,} in
      "@${WHO,,}") return ;;
      @*/*) if [ -n "${TEAMS_TOKEN:-}" ] && is_member "${owner#@}"; then return; fi ;;
    esac
  done <"$OUT/owners.txt"
  reply "@$WHO does not own all files that these changes come from, by the CODEOWNERS of the main branch, so this approves nothing.
Members of a team are known where the secret INTERCOM_TEAMS_TOKEN may read them."
}

is_member() { # is_member ORG/TEAM
  local state
  state=$(GH_TOKEN=$TEAMS_TOKEN gh api "orgs/${1%%/*}/teams/${1#*/}/memberships/$WHO" --jq .state 2>/dev/null) || return 1
  [ "$state" = active ]
}

main
