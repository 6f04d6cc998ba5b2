#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs whose calls mathisd makes.

# shellcheck source-path=SCRIPTDIR
. ../cli/lib.bash

dir=$(mktemp -d /run/mathisd-XXXXXX)
chmod 755 "$dir"

start()
{
	printf '%s\n' "$1" >"$dir/default.json"
	mathisd --user nobody --manifests "$dir" --publish "$dir/tokens" \
		--ready-fd 7 7>"$dir/ready" 2>"$dir/log" &
	pid=$!
	for _ in $(seq 600); do
		[[ ! -s $dir/ready ]] || return 0
		sleep 0.1
	done
	die "mathisd does not begin: $(<"$dir/log")"
}

stop()
{
	kill "$pid"
	wait "$pid" || die "mathisd ends with $?: $(<"$dir/log")"
	: >"$dir/ready"
}

program()
{
	mathis run --daemon="$dir/tokens/mathisd.token" "$@"
}

# Print the digest of "abc", made there, and printed here.
cat >"$dir/hash.masm" <<'END'
.func main
  .arity 0
  .locals 0
  CONST_STR "abc"
  SYSCALL crypto_sha256
  SYSCALL hex_encode
  SYSCALL io_println
  RET
.end
END

test_calls_are_made_by_the_daemon()
{
	start '{ "allow": ["crypto"] }'
	eq "$(program "$dir/hash.masm")" \
		"$(printf abc | sha256sum | cut -d' ' -f1)"
	stop
}

test_rights_are_those_of_the_manifest()
{
	start '{}'
	fails 1 "Denied: .*needs the right crypto" \
		program --allow-crypto "$dir/hash.masm"
	stop
	start '{ "allow": ["crypto"] }'
	fails 1 "Denied: .*needs the right crypto" \
		program --deny-crypto "$dir/hash.masm"
	stop
}

test_a_daemon_that_is_not_there()
{
	fails 1 "no session with mathisd" \
		mathis run --daemon="$dir/none" "$dir/hash.masm"
}

test_manifests_that_are_wrong()
{
	local text

	for text in '{' '[]' '{"allow": "crypto"}' '{"allow": [1]}' \
		'{"allow": ["fly"]}' '{"deny": ["crypto=1"]}' '{"x": 1}' \
		'{"base": "here"}' '{"call_ms": -1}' \
		'{"allow": ["fs.read=/nowhere"]}'; do
		printf '%s\n' "$text" >"$dir/default.json"
		fails 1 "default.json" mathisd --user nobody --manifests "$dir" \
			--publish "$dir/tokens"
	done
	rm "$dir/default.json"
	echo '{}' >"$dir/no-such-user.json"
	fails 1 "no such user" mathisd --user nobody --manifests "$dir" \
		--publish "$dir/tokens"
	rm "$dir/no-such-user.json"
}

run_tests
rm -rf "$dir"
