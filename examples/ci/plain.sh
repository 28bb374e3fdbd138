#!/bin/sh
# reconciler in any pipeline. Copy it as ci/intercom.sh; the action for GitHub brings its own.
#
#   intercom.sh plan      on a change request: plans, and leaves the plan and its reports in $OUT; writes nothing to Intercom
#   intercom.sh apply     on the main branch, after the merge: carries out the very plan that was reviewed. Where the workspace moved since,
#                         it plans again: what is left of the reviewed plan is carried out; with anything else it ends with 4, and
#                         $OUT/again.json waits for `intercom.sh apply again`
#   intercom.sh nightly   on the main branch, every night: ends with 2 where Intercom moved away from what was applied, or something
#                         could not be told; with 3 where nothing can be said. The report has what could not be said on top
#   intercom.sh fix       plans what puts drift right, into $OUT/fix.json, for `intercom.sh apply fix`; ends with 2 where there is some
#   intercom.sh adopt     declares what is live and not declared,
#   intercom.sh retire    writes the tombstones of deprecated tags that are due to go, and
#   intercom.sh accept    writes what changed in Intercom into the manifest: each pushes a branch where there is something new, whose name and
#                         title are in $OUT/proposed then, with the text for its change request in $OUT/adopt.md and so on
#   intercom.sh columns   puts the plans of several environments side by side, in $OUT/plan.md
#   intercom.sh form      makes of a form that somebody filled in ($FORM, a file with its answers) a branch, as adopt does
#   intercom.sh name      prints the name of the plan file of this commit
#
# A plan file is named after the content of the manifest that it was made for, so a merge, a squash and a rebase all find the
# plan that was reviewed, and another content finds none. $OUT must outlive the job: a shared folder, or your CI's artifacts.
#
# What was applied is remembered in the ledger, by default in a ref of the remote `origin`: all three read it, and `apply` must be
# allowed to push. RECONCILER_LEDGER_KEY is its key, a secret, the same one for all three (make one with: openssl rand -hex 32).
set -eu

MANIFEST=${MANIFEST:-intercom}         # files and folders, separated by blanks
ENVIRONMENT=${ENVIRONMENT:-}           # of a manifest with overlays: a step for each, with its own token; for columns: several
POLICY=${POLICY:-intercom-policy.yaml} # outside of the manifest, and best under code owners
BASE=${BASE:-origin/main}              # what a change request goes into
BEFORE=${BEFORE:-HEAD^1}               # the main branch before the merge
OUT=${OUT:-out}
OPEN=${OPEN:-}           # for adopt, retire and accept: anything, where a change request of their branch is open
APPROVALS=${APPROVALS:-} # a file with approvals, HASH:PEOPLE on a line, from a place that no change request writes to
WAIT=${WAIT:-90} # seconds for another apply to end; that of one that was killed ends by itself after 60

# git, git:REMOTE, postgresql://HOST/DATABASE or none; empty: a file in .reconciler/, for a machine that stays.
export RECONCILER_LEDGER="${RECONCILER_LEDGER-git}"

main() {
    verb=${1:-}
    case $verb-${2:-} in
        plan- | apply- | apply-again | apply-fix | nightly- | fix- | adopt- | retire- | accept- | columns- | form-) mkdir -p "$OUT" ;;
        name-) ;;
        *) die 64 "usage: $0 plan | apply [again | fix] | nightly | fix | adopt | retire | accept | columns | form | name" ;;
    esac
    "$@"
}

name() {
    # shellcheck disable=SC2086 # several paths
    echo "plan-${ENVIRONMENT:+$ENVIRONMENT-}$(git ls-tree HEAD -- $MANIFEST | git hash-object --stdin).json"
}

plan() {
    rm -f "$OUT/plan.md" "$OUT/errors.txt"
    if [ -z "${INTERCOM_ACCESS_TOKEN:-}" ]; then
        no_token
        return 0
    fi
    set -- -o "$OUT/$(name)" --detailed-exitcode --base "$BASE" --report "markdown=$OUT/plan.md" --report "html=$OUT/plan.html"
    # Changes that nothing written explains end with 3. Leave this line out to have them shown only.
    set -- "$@" --fail-on unexplained
    policy_of "$BASE"
    # shellcheck disable=SC2046,SC2086 # several words
    set -- "$@" $(rules)
    # shellcheck disable=SC2086 # several paths
    keep_errors reconciler plan $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} "$@" >"$OUT/plan.txt"
    if [ -n "$ENVIRONMENT" ] && [ -f "$OUT/plan.md" ]; then cp "$OUT/plan.md" "$OUT/plan-$ENVIRONMENT.md"; fi
    if [ "$code" = 3 ] && [ -f "$OUT/plan.md" ]; then
        echo "This plan is refused: $OUT/plan.md says why, and how to go on." >&2
    elif [ "$code" != 0 ] && [ "$code" != 2 ]; then
        note "There is no plan: it ended with exit code $code."
    fi
    [ "$code" = 2 ] || return "$code"
}

# Secrets are not given to change requests from forks. Their manifest is checked; the plan waits for a branch of this repository.
no_token() {
    text="There is no access token here (change requests from forks get none), so the manifest was only checked and not planned.
A maintainer can push this branch to the repository itself to have it planned."
    # shellcheck disable=SC2086 # several paths
    keep_errors reconciler validate $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"}
    [ "$code" = 0 ] || text="The manifest is not valid."
    note "$text"
    [ "$code" = 0 ] || exit "$code"
}

apply() {
    file="$OUT/${1:-$(name)}" before=$BEFORE
    file="${file%.json}.json"
    if ! [ -f "$file" ] && [ -n "${1:-}" ]; then
        echo "There is nothing to do: no plan waits in $file." >&2
        return 0
    elif ! [ -f "$file" ]; then
        die 4 "no plan was made for this manifest ($file): bring the branch up to date before it is merged, so that what is planned is
what is merged. Now: make a change request that touches the manifest, and have its plan reviewed."
    fi
    if [ "${1:-}" = fix ]; then before=HEAD; fi
    policy_of "$before"
    carry_out "$file"
    if [ "$code" = 4 ] && [ -z "${1:-}" ]; then plan_again; fi
    case $code in
        0) ;;
        3) echo "Refused, nothing was written. Approvals are taken from $POLICY as it was before this merge." >&2 ;;
        4) echo "Nothing was written: the workspace is no longer as it was when this was reviewed. Plan again." >&2 ;;
        6) echo "Nothing was written: another run is applying. Run this job again when that one has ended." >&2 ;;
        5 | 130 | 143) echo "Applied in part. Run this job again: it goes on where it ended." >&2 ;;
    esac
    return "$code"
}

# Carries out a saved plan; the exit code is $code then.
carry_out() {
    code=0
    # shellcheck disable=SC2046 # several words
    reconciler apply "$1" --events "$OUT/events.ndjson" --lock-timeout "$WAIT" $(rules) >"$OUT/apply.txt" || code=$?
    cat "$OUT/apply.txt"
}

# The workspace moved since the review. A part of what was reviewed is carried out; anything else waits for somebody.
plan_again() {
    echo "The workspace moved since this was reviewed, so it is planned again." >&2
    set -- -o "$OUT/again.json" --within "$file" --detailed-exitcode --report "markdown=$OUT/again.md"
    # shellcheck disable=SC2046,SC2086 # several paths and words
    keep_errors reconciler plan $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} "$@" $(rules) >"$OUT/again.txt"
    case $code in
        0 | 2)
            echo "It is a part of what was reviewed." >&2
            carry_out "$OUT/again.json"
            ;;
        4) echo "It has what nobody reviewed: $OUT/again.md says what. \`$0 apply again\` carries it out." >&2 ;;
        *) rm -f "$OUT/again.json" ;;
    esac
}

# The plan that puts drift right.
fix() {
    rm -f "$OUT/fix.json" "$OUT/fix.md"
    policy_of HEAD
    code=0
    # shellcheck disable=SC2046,SC2086 # several paths and words
    reconciler drift $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} --fix -o "$OUT/fix.json" --report "markdown=$OUT/fix.md" \
        $(APPROVALS='' rules) >"$OUT/fix.txt" || code=$?
    return "$code"
}

# The environments beside each other: their numbers, then their reports.
columns() {
    # shellcheck disable=SC2086 # several environments
    python3 -I "$(dirname "$0")/columns.py" "$OUT" $ENVIRONMENT
}

adopt() {
    propose adopt "Declare what is live in Intercom and not declared" \
        "Somebody made these in Intercom, and no file declares them. Whoever merges this takes over their names." \
        reconciler export -o "${MANIFEST%% *}"
}

retire() {
    # shellcheck disable=SC2086 # no word, or two
    propose retire "Retire deprecated tags that nobody uses anew" \
        "Nobody has used these tags anew for as long as they say. Whoever merges this has them deleted." \
        reconciler tag retire --due --in "${MANIFEST%% *}" ${ENVIRONMENT:+--env "$ENVIRONMENT"}
}

accept() {
    propose accept "Accept what changed in Intercom" \
        "Somebody changed these in Intercom. Whoever merges this accepts it, and the manifest says what is live." \
        reconciler export -o "${MANIFEST%% *}" --drifted
}

# A tag verb says where it leads with a plan; this asks for none.
form() {
    export INTERCOM_ACCESS_TOKEN=
    number=$(python3 -I "$(dirname "$0")/form.py" number "$FORM")
    propose "form-$number" "Intercom: what issue $number asks for" "Closes #$number" \
        python3 -I "$(dirname "$0")/form.py" edit "$FORM" "${MANIFEST%% *}"
}

# Pushes a branch with what a command changes in the manifest: propose NAME TITLE TEXT COMMAND... Nothing is pushed where nothing is new: what
# somebody closed is not asked for again.
propose() {
    name=$1 title=$2 text=$3
    shift 3
    branch=reconciler/$name main=$(git rev-parse HEAD)
    rm -f "$OUT/proposed" "$OUT/$name.md"
    git fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch" 2>"$OUT/errors.txt" || [ -z "$OPEN" ] || cat "$OUT/errors.txt" >&2
    if [ -n "$OPEN" ]; then
        # What people did on the branch of an open change request stays.
        git checkout --quiet --detach "origin/$branch"
        commits merge --quiet --no-edit "$main" || die 1 "$branch does not merge with the main branch: solve it there, or close it"
    fi
    keep_errors "$@"
    if [ "$code" != 0 ]; then
        printf 'This was not done:\n\n<pre>\n%s\n</pre>\n' "$(inert <"$OUT/errors.txt")" >"$OUT/${name%%-*}.md"
        return "$code"
    fi
    # shellcheck disable=SC2086 # several paths
    git add -- $MANIFEST
    if git diff --cached --quiet; then
        echo "There is nothing new." >&2
        return 0
    fi
    commits commit --quiet --message "$title"
    if [ -z "$OPEN" ] && [ "$(change_of "origin/$branch")" = "$(change_of HEAD)" ]; then
        echo "There is nothing new since the change request of $branch was closed." >&2
        return 0
    fi
    if [ -n "$OPEN" ]; then tip=HEAD; else tip=+HEAD; fi
    git push --quiet origin "$tip:refs/heads/$branch"
    printf '%s\n\n<pre>\n%s\n</pre>\n' "$text" "$(inert <"$OUT/errors.txt")" >"$OUT/$name.md"
    printf '%s\n%s\n' "$branch" "$title" >"$OUT/proposed"
}

# git, for what makes commits.
commits() {
    git -c user.name="${GIT_NAME:-reconciler}" -c user.email="${GIT_EMAIL:-reconciler@localhost}" "$@"
}

# What a branch changes, whatever it begins at; nothing for a branch that is not there.
change_of() {
    # shellcheck disable=SC2086 # several paths
    git diff "$main...$1" -- $MANIFEST 2>/dev/null | git patch-id --stable | cut -d " " -f 1
}

# What was merged and not applied yet is no drift: the report lists it, and the night ends with 0.
nightly() {
    rm -f "$OUT/nightly.md"
    policy_of HEAD
    code=0
    # shellcheck disable=SC2046,SC2086 # several paths and words
    reconciler drift $MANIFEST ${ENVIRONMENT:+--env "$ENVIRONMENT"} --report "markdown=$OUT/nightly.md" $(APPROVALS='' rules) >"$OUT/nightly.txt" || code=$?
    case $code in
        3)
            # Without a report it was refused before anything was read.
            [ -f "$OUT/nightly.md" ] || echo "Nothing can be said of this workspace: the log of this job says why." >"$OUT/nightly.md"
            echo "Nothing can be said of this workspace: $OUT/nightly.md says why." >&2
            ;;
    esac
    return "$code"
}

# The policy as a commit has it, so that no change request loosens the rules that it is held to. A commit that has none has none.
policy_of() {
    rm -f "$OUT/policy.yaml"
    git rev-parse --quiet --verify "$1^{commit}" >/dev/null || die 1 "git does not know $1 here: fetch it first"
    if git cat-file -e "$1:./$POLICY" 2>/dev/null; then
        git cat-file blob "$1:./$POLICY" >"$OUT/policy.yaml"
    fi
}

# The options for the policy that was found, and for approvals; in $APPROVALS counts only what has their form.
rules() {
    if [ -f "$OUT/policy.yaml" ]; then echo "--policy $OUT/policy.yaml"; fi
    if [ -f "$APPROVALS" ]; then grep -xE '[0-9a-f]{12}:[0-9]+' "$APPROVALS" | sed 's/^/--approve /'; fi
}

# Runs a command, whose exit code is $code then; what it says on standard error is kept for a note.
keep_errors() {
    code=0
    "$@" 2>"$OUT/errors.txt" || code=$?
    cat "$OUT/errors.txt" >&2
}

# A report that replaces the one before, which would be about another commit: a sentence, and the errors.
note() {
    {
        printf '<!-- reconciler:plan -->\n%s\n' "$1"
        if [ -s "$OUT/errors.txt" ]; then printf '\n<pre>\n%s\n</pre>\n' "$(inert <"$OUT/errors.txt")"; fi
    } >"$OUT/plan.md"
    echo "$1" >&2
}

# Foreign text as text: no HTML, no mention, no reference, no workflow command, and no more than fits.
inert() {
    awk '/^[ \t]*::/ { next }
        (size += length($0)) > 20000 || ++lines > 50 { print "… the log of this job has the rest"; exit }
        {
            gsub(/&/, "\\&amp;"); gsub(/#/, "\\&#35;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;"); gsub(/@/, "\\&#64;")
            gsub(/`/, "\\&#96;"); gsub(/\[/, "\\&#91;"); gsub(/\]/, "\\&#93;"); gsub(/!/, "\\&#33;"); gsub(/\|/, "\\&#124;")
            print
        }'
}

die() {
    echo "error: $2" >&2
    if [ "$verb" = plan ]; then
        echo "error: $2" >"$OUT/errors.txt"
        note "There is no plan: it ended with exit code $1."
    fi
    exit "$1"
}

main "$@"
