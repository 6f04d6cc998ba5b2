#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# initd with real services, as user nobody in a cgroup of its own.
#
# shellcheck disable=SC2317 # until_true calls what the tests define
. ../cli/lib.bash

build=${PHI_BUILD:-$PWD/../../build}
prog=$build/selftests/initd/serve_prog
dir=$(mktemp -d /run/phi-initd-XXXXXX)
group=/sys/fs/cgroup/phi-initd-test
files=$dir/services
export PHI_INIT=$dir/run/control
run=("$build/daemons/initd" --config "$files" --run "$dir/run")
chmod 755 "$dir"
mkfifo "$dir/ready"

# start: start initd with the files that there are.
start()
{
	"${run[@]}" --user nobody --cgroup "$group" --ready-fd 9 \
		9>"$dir/ready" 2>>"$dir/log" &
	echo "$!" >"$dir/pid"
	read -r ready <"$dir/ready"
	[[ $ready == READY=1 ]] || die "it does not start: $(cat "$dir/log")"
}

initd()
{
	cat "$dir/pid"
}

# stop: ask initd to end, and see that it ends well and leaves nothing.
stop()
{
	local status=0

	kill "$(initd)"
	wait "$(initd)" || status=$?
	eq "$status" 0
	eq "$(find "$group/services" -mindepth 1 -type d)" ""
	[[ ! -e $PHI_INIT ]]
}

# Kill initd as it cannot expect it.
murder()
{
	kill -9 "$(initd)"
	wait "$(initd)" || true
}

clean()
{
	kill -9 "$(initd)"
	echo 1 >"$group/cgroup.kill"
	until_true find "$group" -depth -type d -exec rmdir {} +
	rm -rf "$dir" "$tmp"
} 2>/dev/null
trap clean EXIT

# service NAME: its file from stdin.
service()
{
	sed "s|@PROG@|$prog|g; s|@WORK@|$dir/work|g" >"$files/$1.service"
}

# No services yet; none of a test that failed, either.
fresh()
{
	if [[ -e $dir/pid ]]; then
		kill -9 "$(initd)" 2>/dev/null || true
		until_true test ! -e "/proc/$(initd)"
	fi
	rm -rf "$files" "$dir/work" "$dir/log"
	mkdir "$files" "$dir/work"
	chmod 777 "$dir/work"
}

# shows SERVICE FIELD: a field of it.
shows()
{
	json ".$2" phi init show "$1"
}

is()
{
	[[ $(shows "$1" state) == "$2" ]]
}

# line PATTERN: number of the first line of initd's log that matches.
line()
{
	grep -n -m 1 -E "$1" "$dir/log" | cut -d : -f 1 | grep .
}

# Processes in the cgroups of the services.
processes()
{
	find "$group/services" -name cgroup.procs -exec cat {} +
}

test_01_starts_respawns_and_stops()
{
	local pid agent

	fresh
	service one <<-'END'
	[Unit]
	Description=Sleeps
	[Service]
	ExecStart=/bin/sleep 1000
	Restart=always
	RestartSec=1ms
	END
	start
	until_true is one up
	pid=$(shows one pid)
	agent=$(shows one agent)
	eq "$(json .name phi agent show "$agent")" one
	has "$(cat "/proc/$pid/cgroup")" "^0::.*/services/one$"
	has "$(cat "/proc/$pid/status")" "^Uid:.65534"
	has "$(cat "/proc/$pid/status")" "^NoNewPrivs:.1"
	eq "$(cat "$group/services/one/pids.max")" 512
	kill -9 "$pid"
	again()
	{
		[[ $(shows one restarts) == 1 ]] && is one up
	}
	until_true again
	[[ $(shows one pid) != "$pid" && $(shows one agent) != "$agent" ]]
	fails 1 "ENOENT" phi agent show "$agent"
	stop
}

# A client that needs a server starts when that has said that it is ready, and
# reaches it by its endowment. A server that dies is another process later, at
# the same endpoint.
test_02_services_share_an_endpoint()
{
	fresh
	service server <<-'END'
	[Service]
	Type=notify
	ExecStart=@PROG@ answer
	RestartSec=1ms
	[Agent]
	Capability=calls=endpoint:store:recv
	END
	service client <<-'END'
	[Unit]
	Requires=server
	[Service]
	ExecStart=@PROG@ ask hello
	[Agent]
	Capability=server=endpoint:store:send
	END
	start
	until_true is client up
	(($(line "server: ready") < $(line "client: started")))
	said()
	{
		[[ $(phi init logs client --lines 1) == "answer hello" ]]
	}
	until_true said
	kill -9 "$(shows server pid)"
	until_true is server up
	phi init restart client
	twice()
	{
		[[ $(phi init logs client) == $'answer hello\nanswer hello' ]]
	}
	until_true twice
	stop
	(($(line "client: ended") < $(line "server: ended by signal 15")))
}

test_03_endowments()
{
	fresh
	service holder <<-'END'
	[Service]
	ExecStart=@PROG@ list
	[Agent]
	Capability=a=memory:shared:read,map:8192
	Capability=b=notify:bell:write
	END
	service poor <<-'END'
	[Service]
	ExecStart=@PROG@ list
	END
	service other <<-'END'
	[Service]
	ExecStart=@PROG@ list
	Restart=no
	[Agent]
	Capability=a=memory:shared:read:4096
	END
	service token <<-'END'
	[Service]
	ExecStart=@PROG@ list
	Restart=no
	[Agent]
	Capability=a=token:@WORK@/token
	END
	start
	text()
	{
		[[ $(phi init logs "$1") == "$2" ]]
	}
	until_true text holder $'a type 1 rights 0x9\nb type 8 rights 0x2'
	until_true text poor $'no capability a\nno capability b'
	is other failed
	is token failed
	line "other: no capability a: File exists"
	line "token: no capability a: No such file"
	stop
}

# What is in the token is given on, and the service keeps it.
test_04_tokens()
{
	local giver

	fresh
	service token <<-'END'
	[Service]
	ExecStart=@PROG@ list
	[Agent]
	Capability=a=token:@WORK@/token
	Capability=b=token:@WORK@/token:send
	END
	# shellcheck disable=SC2016
	phi session bash -c '
		e=$(phi endpoint create)
		phi cap seal "$e" --rights send,grant >"$1"
		chmod 644 "$1"
		: >"$1.made"
		sleep 1000' bash "$dir/work/token" &
	giver=$!
	until_true test -e "$dir/work/token.made"
	start
	listed()
	{
		[[ $(phi init logs token) == \
			$'a type 2 rights 0x90\nb type 2 rights 0x10' ]]
	}
	until_true listed
	stop
	kill "$giver"
	wait "$giver" || true
}

test_05_an_agent_that_dies_leaves_nothing()
{
	local pids pid

	fresh
	service parent <<-'END'
	[Service]
	ExecStart=/bin/bash -c 'sleep 1001 & setsid sleep 1002 & (sleep 1003 &); echo ready; wait'
	Restart=no
	END
	start
	ready()
	{
		[[ $(phi init logs parent --lines 1) == ready &&
			$(processes | wc -l) == 4 ]]
	}
	until_true ready
	pids=$(processes)
	kill -9 "$(shows parent pid)"
	until_true is parent failed
	for pid in $pids; do
		[[ ! -e /proc/$pid ]] || die "process $pid is left"
	done
	eq "$(shows parent status)" 137
	[[ ! -e $group/services/parent ]]
	# Nor does an orphan that ends on its own stay as a zombie.
	phi init start parent
	until_true ready
	pid=$(pgrep -f "^sleep 1003")
	kill "$pid"
	until_true test ! -e "/proc/$pid"
	is parent up
	stop
}

test_06_a_bomb_ends_at_its_limit()
{
	fresh
	service bomb <<-'END'
	[Service]
	ExecStart=/bin/bash -c 'while :; do /bin/sleep 1000 & done'
	TasksMax=20
	MemoryMax=64M
	TimeoutStopSec=200ms
	END
	service other <<-'END'
	[Service]
	ExecStart=@PROG@ ready
	Type=notify
	END
	start
	full()
	{
		[[ $(sed -n 's/^max //p' \
			"$group/services/bomb/pids.events") != 0 ]]
	}
	until_true full
	until_true is other up
	eq "$(cat "$group/services/bomb/memory.max")" 67108864
	phi init restart other
	phi init stop bomb
	is bomb down
	stop
}

# Killed at any point of its start, it leaves nothing to the next one.
test_07_survives_its_own_death()
{
	local i first pid n

	fresh
	for i in 1 2 3 4 5 6; do
		service "s$i" <<-'END'
		[Service]
		ExecStart=/bin/sh -c 'sleep 1004 & exec sleep 1004'
		END
	done
	for i in 1 2 3 4 5 6; do
		start
		# The more services, the later the kill.
		n=0
		until (($(grep -c started "$dir/log") >= i || n == 100)); do
			n=$((n + 1))
		done
		first=$(initd)
		murder
		mv "$dir/log" "$dir/log.$i"
	done
	start
	all()
	{
		[[ $(processes | wc -l) == 12 ]]
	}
	until_true all
	for pid in $(pgrep -f "sleep 1004"); do
		grep -q "/services/" "/proc/$pid/cgroup" || continue
		processes | grep -q "^$pid$" || die "$pid is of an earlier one"
	done
	eq "$(pgrep -c -f "^sleep 1004")" 12
	[[ $(initd) != "$first" ]]
	cat "$dir"/log.[1-6] "$dir/log" | grep -q "ended what an earlier initd left"
	stop
	eq "$(pgrep -c -f "^sleep 1004")" 0
}

test_08_one_for_all()
{
	local a b c

	fresh
	for i in a b c; do
		service "$i" <<-'END'
		[Service]
		ExecStart=/bin/sleep 1000
		RestartSec=1ms
		[Agent]
		Group=all
		END
	done
	echo "Strategy=one_for_all" >>"$files/a.service"
	echo "Group=none" >>"$files/c.service"
	start
	until_true is c up
	a=$(shows a pid)
	b=$(shows b pid)
	c=$(shows c pid)
	kill -9 "$a"
	both()
	{
		[[ $(shows a pid) != "$a" && $(shows b pid) != "$b" ]] &&
			is a up && is b up
	}
	until_true both
	eq "$(shows c pid)" "$c"
	b=$(shows b pid)
	a=$(shows a pid)
	kill -9 "$b"
	restarted()
	{
		[[ $(shows b restarts) == 1 ]] && is b up
	}
	until_true restarted
	eq "$(shows a pid)" "$a"
	stop
}

test_09_readiness_is_the_first_process_s()
{
	fresh
	service fake <<-'END'
	[Service]
	Type=notify
	ExecStart=/bin/sh -c '@PROG@ ready & while [ ! -e @WORK@/go ]; do sleep 0.05; done; exec @PROG@ ready'
	END
	start
	# The datagram of the other process lies before our request.
	sent()
	{
		[[ $(processes | wc -l) -ge 2 ]] &&
			pgrep -f "^$prog ready" >/dev/null
	}
	until_true sent
	sleep 0.5
	is fake starting
	touch "$dir/work/go"
	until_true is fake up
	eq "$(shows fake text)" "all is well"
	stop
}

test_10_hashes_and_programs_that_are_not_there()
{
	fresh
	service hashed <<-END
	[Service]
	ExecStart=/bin/sleep 1000
	[Agent]
	Sha256=$(sha256sum /bin/sleep | cut -d ' ' -f 1)
	END
	service forged <<-END
	[Service]
	ExecStart=/bin/sleep 1000
	Restart=no
	[Agent]
	Sha256=$(sha256sum /bin/true | cut -d ' ' -f 1)
	END
	service absent <<-'END'
	[Unit]
	StartLimitBurst=3
	[Service]
	ExecStart=/no/such/program
	RestartSec=1ms
	END
	start
	until_true is hashed up
	is forged failed
	eq "$(shows forged status)" -74
	until_true is absent failed
	eq "$(shows absent status)" -2
	eq "$(grep -c "absent: cannot start" "$dir/log")" 3
	has "$(shows absent text)" "started too often"
	fails 1 "it has ended" phi init start forged
	stop
}

test_11_stubborn_ones_are_killed()
{
	fresh
	service deaf <<-'END'
	[Service]
	ExecStart=/bin/sh -c 'trap "" TERM; echo deaf; while :; do sleep 1000; done'
	TimeoutStopSec=100ms
	END
	service late <<-'END'
	[Service]
	Type=notify
	TimeoutStartSec=100ms
	Restart=no
	ExecStart=/bin/sleep 1000
	END
	start
	until_true is late failed
	has "$(shows late text)" "not ready in time"
	deaf()
	{
		[[ $(phi init logs deaf) == deaf ]]
	}
	until_true deaf
	eq "$(json .state phi init stop deaf)" down
	eq "$(shows deaf status)" 137
	stop
}

test_12_commands()
{
	local agent

	fresh
	service a <<-'END'
	[Unit]
	Description=The first
	[Service]
	ExecStart=/bin/sh -c 'for i in 1 2 3; do echo "line $i"; done; printf "\\033[2Jend\\n"; exec sleep 1000'
	[Agent]
	Manual=yes
	END
	service b <<-'END'
	[Unit]
	Requires=a
	[Service]
	Type=oneshot
	ExecStart=/bin/true
	[Agent]
	Manual=yes
	END
	start
	eq "$(json '[.services[] | .service, .state] | join(" ")' phi init list)" \
		"a down b down"
	eq "$(json .state phi init start b)" "done"
	is a up
	eq "$(shows a description)" "The first"
	until_true grep -q end <(phi init logs a)
	eq "$(phi init logs a --lines 2)" $'line 3\n?[2Jend'
	agent=$(shows a agent)
	eq "$(phi agent logs "$agent" --lines 1)" "?[2Jend"
	eq "$(json '.lines | length' phi init logs a)" 4
	eq "$(json .state phi init stop a)" down
	fails 1 "no such service" phi agent logs "$agent"
	fails 2 "number 0" phi agent logs 0
	fails 1 "no such service" phi init show c
	fails 1 "no such service" phi init start c
	fails 2 "is no name" phi init stop "$(printf '%040d' 1)"
	fails 1 "Permission denied" setpriv --reuid 1234 --regid 1234 \
		--clear-groups env PATH="$PATH" phi init list
	# shellcheck source=/dev/null
	. ../../tools/phi/phi.bash
	COMP_WORDS=(phi init stop "")
	COMP_CWORD=3
	_phi
	eq "${COMPREPLY[*]}" "a b"
	stop
	fails 1 "start it: initd" phi init list
}

test_13_output_is_bounded()
{
	fresh
	service loud <<-'END'
	[Service]
	ExecStart=/bin/sh -c 'seq 100000; echo last; exec sleep 1000'
	END
	start
	last()
	{
		[[ $(phi init logs loud --lines 1) == last ]]
	}
	until_true last
	(($(phi init logs loud | wc -c) <= 65536))
	has "$(phi init logs loud | head -n 1)" "^[0-9]+$"
	eq "$(phi init logs loud --lines 2)" $'100000\nlast'
	stop
}

test_14_what_it_refuses()
{
	local other=(setpriv --reuid 1234 --regid 1234 --clear-groups)

	fresh
	service a <<-'END'
	[Service]
	ExecStart=/bin/true
	END
	eq "$("${run[@]}" --check)" "1 services"
	fails 1 "not run as root" "${run[@]}"
	fails 1 "root gives a cgroup" "${run[@]}" --user nobody
	fails 1 "no user nobody-else" "${run[@]}" --user nobody-else \
		--cgroup "$group"
	fails 1 "is not this user's|cannot make" "${other[@]}" "${run[@]}"
	fails 2 "no tokens" "${run[@]}" --publish /tmp
	fails 2 "is no path" "${run[@]}" --run run
	fails 2 "too many words" "${run[@]}" more
	fails 2 "cannot read /no/where" "${run[@]}" --config /no/where
	start
	fails 1 "another initd" "${run[@]}" --user nobody --cgroup "$group"
	stop
	service b <<-'END'
	[Service]
	ExecStrat=/bin/true
	END
	service c <<-'END'
	[Unit]
	After=a
	Befour=b
	END
	fails 2 "b.service:2: unknown key ExecStrat .* is ExecStart in .* meant" \
		"${run[@]}" --check
	fails 2 "c.service:3: unknown key Befour" "${run[@]}" --check
	rm "$files"/[bc].service
	echo $'[Unit]\nAfter=d' >>"$files/a.service"
	fails 2 "no service d" "${run[@]}" --check
}

# Each check of a request refuses once, and those who say nothing keep nobody
# out when they have gone.
test_15_requests_that_make_no_sense()
{
	fresh
	service a <<-'END'
	[Service]
	ExecStart=/bin/sleep 1000
	END
	start
	eq "$("$build/selftests/initd/ask_prog" | tr '\n' ' ')" \
		"good 0 size -22 verb -22 verb -22 pad -22 lines -22 name -22 short -22 long -22 empty 0 agent -2 refused 8 again yes "
	until_true is a up
	stop
}

# A service has the user of initd, and root a place that no service takes.
test_16_services_do_not_keep_root_out()
{
	local user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	local holder

	fresh
	service a <<-'END'
	[Service]
	ExecStart=/bin/sleep 1000
	END
	start
	mkfifo "$dir/work/end"
	"${user[@]}" "$build/selftests/initd/ask_prog" hold \
		<>"$dir/work/end" >"$dir/work/held" &
	holder=$!
	until_true grep -q refused "$dir/work/held"
	eq "$(cat "$dir/work/held")" "refused 10"
	fails 1 "" "${user[@]}" env PATH="$PATH" phi init list
	until_true is a up
	kill "$holder"
	wait "$holder" || true
	stop
}

# Nor does what it makes in its cgroup, or holds locked, keep initd out.
test_17_what_services_leave_does_not_keep_initd_out()
{
	local first away

	fresh
	# shellcheck disable=SC2016
	service nest <<-'END'
	[Service]
	ExecStart=/bin/bash -c 'd=$1; echo max >"$d/cgroup.max.depth"; echo max >"$d/cgroup.max.descendants"; mkdir -p "$d/b" "$d/.c/d" "$d/$(printf "a/%%.0s" {1..300})"; echo nested; exec sleep 1005' bash @GROUP@/services/nest
	RestartSec=1ms
	END
	service lock <<-'END'
	[Service]
	ExecStart=/bin/bash -c 'exec 9<"$1"; flock -s 9; mkdir -p "$1/.away"; echo $$ >"$1/.away/cgroup.procs"; echo $$ >"$2.new"; mv "$2.new" "$2"; exec sleep 1005' bash @GROUP@/services @WORK@/locked
	END
	sed -i "s|@GROUP@|$group|g" "$files"/*.service
	start
	prlimit --pid "$(initd)" --nofile=256
	nested()
	{
		[[ $(phi init logs nest | grep -c nested) == "$1" ]]
	}
	until_true nested 1
	first=$(shows nest pid)
	phi init restart nest
	[[ $(shows nest pid) != "$first" ]]
	until_true nested 2
	murder
	until_true test -e "$dir/work/locked"
	away=$(<"$dir/work/locked")
	start
	[[ ! -e /proc/$away ]] || die "one in a cgroup of its own lives on"
	until_true is nest up
	until_true is lock up
	stop
}

# A FIFO where a token or a program should be stops only its service.
test_18_pipes_are_no_tokens()
{
	fresh
	mkfifo -m 777 "$dir/work/pipe"
	service token <<-'END'
	[Service]
	ExecStart=/bin/true
	Restart=no
	[Agent]
	Capability=a=token:@WORK@/pipe
	END
	service program <<-'END'
	[Service]
	ExecStart=@WORK@/pipe
	Restart=no
	END
	start
	until_true is token failed
	until_true is program failed
	eq "$(shows token status)" -13
	eq "$(shows program status)" -13
	stop
}

# What is no cgroup, or the one of all, is not given away.
test_19_only_a_cgroup_is_given()
{
	fresh
	service a <<-'END'
	[Service]
	ExecStart=/bin/true
	END
	mkdir "$dir/plain"
	fails 1 "not supported" "${run[@]}" --user nobody --cgroup "$dir/plain"
	fails 1 "not supported" "${run[@]}" --user nobody --cgroup "$dir/more"
	eq "$(stat -c %u "$dir/plain")" 0
	[[ ! -e $dir/more ]]
	fails 1 "not permitted" "${run[@]}" --user nobody --cgroup /sys/fs/cgroup
	eq "$(stat -c %u /sys/fs/cgroup)" 0
}

run_tests
