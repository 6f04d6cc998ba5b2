// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program mathis, as it is typed: what it prints, where, and its exit
 * status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

FIXTURE(tool)
{
	char folder[64];
	char out[8192];
	int status;
};

FIXTURE_SETUP(tool)
{
	snprintf(self->folder, sizeof(self->folder), "/tmp/mathis-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->folder));
}

FIXTURE_TEARDOWN(tool)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", self->folder);
	EXPECT_EQ(0, system(command));
}

/* Run "mathis ARGS", both outputs into self->out; $d is the folder. */
static void type(FIXTURE_DATA(tool) * self, const char *args)
{
	const char *build = getenv("PHI_BUILD") ?: "build";
	char command[2048];
	FILE *f;
	size_t n;

	snprintf(command, sizeof(command),
		 "d=%s; b=$(realpath %s); m=$b/tools/mathis;\n"
		 "e=$b/../examples/mathis; { %s; } 2>&1",
		 self->folder, build, args);
	f = popen(command, "r");
	n = f ? fread(self->out, 1, sizeof(self->out) - 1, f) : 0;
	self->out[n] = 0;
	self->status = f ? WEXITSTATUS(pclose(f)) : -1;
}

/* Write a source to $d/NAME. */
static void put(FIXTURE_DATA(tool) * self, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", self->folder, name);
	f = fopen(path, "w");
	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

/* Each example whose first lines name the rights that it needs. */
TEST_F(tool, runs_examples_that_need_rights)
{
	type(self,
	     "for f in $(grep -l '^; allow:' $e/*.masm); do\n"
	     "a=$(sed -n 's/^; allow: /--allow-/p' $f)\n"
	     "sed -n 's/^; expect: //p' $f >$d/want\n"
	     "$m run $a $f >$d/got 2>&1; cmp $d/want $d/got || cat $d/got\n"
	     "done; grep -l '^; allow:' $e/*.masm | grep -c -e crypto -e cron");
	EXPECT_STREQ("2\n", self->out);
}

TEST_F(tool, runs_a_source_and_a_module)
{
	type(self, "$m run $e/hello.masm");
	EXPECT_STREQ("Hello, MATHIS!\n", self->out);
	EXPECT_EQ(0, self->status);
	type(self, "$m asm -o $d/h.mbc $e/hello.masm && $m run $d/h.mbc");
	EXPECT_STREQ("Hello, MATHIS!\n", self->out);
	type(self, "cp $e/hello.masm $d && $m asm $d/hello.masm");
	EXPECT_STREQ("", self->out);
	type(self, "$m run - <$d/hello.mbc");
	EXPECT_STREQ("Hello, MATHIS!\n", self->out);
}

TEST_F(tool, disassembles_what_it_assembled)
{
	type(self, "$m asm -o $d/a $e/tasks.masm && $m dis $d/a >$d/b");
	type(self, "$m asm -o $d/c $d/b && cmp $d/a $d/c");
	EXPECT_STREQ("", self->out);
	EXPECT_EQ(0, self->status);
	type(self, "$m asm -s -o $d/a $e/tasks.masm && $m dis $d/a >$d/b");
	type(self, "grep -c line $d/b");
	EXPECT_STREQ("0\n", self->out);
}

TEST_F(tool, names_the_place_of_an_error)
{
	put(self, "a.masm", ".func main\nNOP\nADDX\n.end\n");
	type(self, "cd $d && $m asm a.masm");
	EXPECT_STREQ("a.masm:3: error MASM001: unknown instruction ADDX\n"
		     "     3 | ADDX\n",
		     self->out);
	EXPECT_EQ(1, self->status);
	put(self, "b.masm", ".func main\nNOP\nADD RET\n.end\n");
	type(self, "$m check $d/b.masm $e/hello.masm | sed s,$d,d,");
	EXPECT_NE(NULL, strstr(self->out, "b.masm:3: Verify: ADD takes "));
	EXPECT_NE(NULL, strstr(self->out, " (in main, instruction 1)\n"));
	type(self, "$m check $d/b.masm");
	EXPECT_EQ(1, self->status);
	put(self, "c.masm",
	    ".func main\nCONST_I64 1\nCONST_I64 0\nDIV RET\n.end\n");
	type(self, "$m run $d/c.masm");
	EXPECT_NE(NULL, strstr(self->out, "c.masm:4: ArgRange: division"));
	EXPECT_NE(NULL, strstr(self->out, " (in main, instruction 18)\n"));
	EXPECT_EQ(1, self->status);
	type(self, "$m check /dev/null/none");
	EXPECT_EQ(1, self->status);
}

TEST_F(tool, prints_no_bytes_that_steer_a_terminal)
{
	put(self, "a.masm",
	    ".file \"a\\u{1b}[2J\\u{9b}\u00e9\"\n.func main\n.line 1\n"
	    "PROFILE_START \"\\u{7f}p\"\n"
	    ".line 7\nCONST_STR \"\\nx\" PANIC\n.end\n");
	type(self, "$m run --trace $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "profile: \\x7fp\n"));
	EXPECT_NE(NULL, strstr(self->out,
			       "a\\x1b[2J\\xc2\\x9b\u00e9:7: Crash: \\x0ax ("));
}

TEST_F(tool, links_modules)
{
	type(self, "$m run --link $e/shapes.masm $e/areas.masm");
	EXPECT_STREQ("49\ntrue\n", self->out);
	type(self,
	     "$m link -o $d/a.mbc $e/areas.masm $e/shapes.masm &&$m run $d/a.mbc");
	EXPECT_STREQ("49\ntrue\n", self->out);
	type(self,
	     "$m dis $d/a.mbc >$d/b.masm && $m asm $d/b.masm &&cmp $d/a.mbc $d/b.mbc");
	EXPECT_STREQ("", self->out);
	type(self, "$m run $e/areas.masm");
	EXPECT_NE(NULL, strstr(self->out, "shapes:square is not linked"));
	type(self, "$m run --link $e/areas.masm $e/areas.masm");
	EXPECT_NE(NULL, strstr(self->out, "two modules are named areas"));
	EXPECT_EQ(1, self->status);
}

TEST_F(tool, takes_its_rights_from_a_manifest)
{
	put(self, "m", "{\"allow\": [\"console\", \"crypto\"]}");
	type(self, "$m run --manifest $d/m $e/crypto.masm | wc -l");
	EXPECT_STREQ("4\n", self->out);
	put(self, "m", "{\"allow\": [\"crypto\"]}");
	type(self, "$m run --allow-all --manifest $d/m $e/crypto.masm");
	EXPECT_NE(NULL, strstr(self->out, "needs the right console"));
	put(self, "m",
	    "{\"allow\": [\"console\", \"fs.read=/tmp\"], \"base\": \"/tmp\"}");
	put(self, "a.masm",
	    ".func main\nCONST_STR \".\" SYSCALL fs_lstat CONST_STR \"type\"\n"
	    "INDEX SYSCALL io_println RET\n.end\n");
	type(self, "$m run --manifest $d/m $d/a.masm");
	EXPECT_STREQ("dir\n", self->out);
	put(self, "m", "{\"allow\": [\"frob\"]}");
	type(self, "$m run --manifest $d/m $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "frob: there is no such right"));
	put(self, "m", "{\"may\": []}");
	type(self, "$m run --manifest $d/m $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "no manifest has such a key: may"));
	EXPECT_EQ(2, self->status);
}

TEST_F(tool, goes_on_from_a_snapshot)
{
	type(self, "$m run --fuel 200 --snapshot $d/s $e/tasks.masm");
	EXPECT_EQ(3, self->status);
	type(self,
	     "{ $m run --fuel 200 --snapshot $d/s $e/tasks.masm;while $m run --fuel 9 --snapshot $d/s --restore $d/s $e/tasks.masm; test $? = 3; do :; done; } >$d/a;$m run $e/tasks.masm >$d/b; cmp $d/a $d/b && wc -l <$d/a");
	EXPECT_STREQ("7\n", self->out);
	type(self, "$m run --restore $d/s $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "is one of another module"));
	EXPECT_EQ(1, self->status);
	type(self, "$m run --restore $d/a $e/tasks.masm");
	EXPECT_NE(NULL, strstr(self->out, "Format: no snapshot"));
}

TEST_F(tool, runs_lines_as_they_are_typed)
{
	put(self, "in",
	    "CONST_I64 20 CONST_I64 22\nADD\nADDX\nADD\n"
	    ".func twice\n.arity 1\nGET_LOCAL 0 DUP ADD RET\n.end\n"
	    "CALL \"twice\" 1\nCONST_I64 0 DIV\n"
	    "CONST_STR \"hi\" SYSCALL 0x0011 POP\nMAKE_LIST 1\n");
	type(self, "$m repl <$d/in 2>$d/err");
	EXPECT_STREQ("(20, 22)\n(42)\n(84)\nhi\n(84)\n([84])\n", self->out);
	EXPECT_EQ(0, self->status);
	type(self, "cat $d/err");
	EXPECT_NE(NULL, strstr(self->out, "unknown instruction ADDX\n"));
	EXPECT_NE(NULL, strstr(self->out, "ADD takes 2 values of 1"));
	EXPECT_NE(NULL, strstr(self->out, "ArgRange: division by"));
}

TEST_F(tool, gives_only_the_console)
{
	put(self, "a.masm",
	    ".func main\nCONST_STR \"x\" SYSCALL 0x0015 RET\n.end\n");
	type(self, "$m run $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "Denied: io_read_file: "));
	EXPECT_EQ(1, self->status);
	type(self, "$m run --deny-console $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "Denied: io_println: "));
	type(self, "$m run --deny-console --allow-console $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "Denied: io_println: "));
}

TEST_F(tool, gives_the_rights_of_its_options)
{
	put(self, "a.masm",
	    ".func main\n.arity 1\nGET_LOCAL 0 CONST_I64 0 INDEX\n"
	    "SYSCALL io_read_file SYSCALL io_print RET\n.end\n");
	type(self, "echo yes >$d/b; $m run --allow-fs.read=$d $d/a.masm $d/b");
	EXPECT_STREQ("yes\n", self->out);
	type(self, "cd $d && $m run --allow-fs.read=. a.masm b");
	EXPECT_STREQ("yes\n", self->out);
	type(self, "cd $d && $m run --allow-fs.read=/proc,. a.masm ./b");
	EXPECT_STREQ("yes\n", self->out);
	type(self, "$m run --allow-all --deny-fs.read=$d $d/a.masm $d/b");
	EXPECT_NE(NULL, strstr(self->out, "Denied: io_read_file: needs "));
	type(self, "$m run --allow-fs.write $d/a.masm $d/b");
	EXPECT_NE(NULL, strstr(self->out, "needs the right fs.read"));
	type(self, "$m run --allow-fs.read=$d/none $d/a.masm $d/b");
	EXPECT_NE(NULL, strstr(self->out, "none: No such file"));
	EXPECT_EQ(2, self->status);
	type(self, "$m run --allow-console=x $d/a.masm $d/b");
	EXPECT_NE(NULL, strstr(self->out, "it takes no such parameter"));
	EXPECT_EQ(2, self->status);
}

TEST_F(tool, runs_other_tasks_while_a_call_waits)
{
	/* The first task waits for a line; the second one lets it come. */
	put(self, "a.masm",
	    ".func main\nSPAWN \"asks\" SYSCALL io_input.future\n"
	    "SWAP AWAIT POP AWAIT SYSCALL io_println RET\n.end\n"
	    ".func asks\nCONST_STR \"ready\" SYSCALL io_println RET\n.end\n");
	type(self,
	     "mkfifo $d/in $d/out; $m run $d/a.masm <$d/in >$d/out &\n"
	     "exec 3>$d/in 4<$d/out; read -r a <&4; echo \"$a?\" >&3; cat <&4");
	EXPECT_STREQ("ready?\n", self->out);
}

TEST_F(tool, returns_errors_as_the_program_asks)
{
	put(self, "a.masm",
	    ".func main\n.locals 1\n"
	    "CONST_STR \"/none\" SYSCALL io_read_file.result\n"
	    "CONST_STR \"value\" GET_FIELD_DYN SET_LOCAL 0\n"
	    "GET_LOCAL 0 CONST_STR \"call\" INDEX SYSCALL io_println POP\n"
	    "GET_LOCAL 0 CONST_STR \"name\" INDEX SYSCALL io_println POP\n"
	    "GET_LOCAL 0 CONST_STR \"detail\" INDEX CONST_STR \"errno\" INDEX\n"
	    "RET\n.end\n");
	type(self, "$m run --allow-all $d/a.masm");
	EXPECT_STREQ("io_read_file\nNotFound\n", self->out);
	EXPECT_EQ(2, self->status);
}

TEST_F(tool, documents_the_calls)
{
	type(self, "$m calls | grep -c ^0x00");
	EXPECT_STREQ("18\n", self->out);
	type(self, "$m calls io_open");
	EXPECT_NE(NULL, strstr(self->out, "io_open(path str, flags i64"));
	EXPECT_NE(NULL, strstr(self->out, "Right:  fs.read fs.write\n"));
	type(self, "$m calls 0x10 | head -1");
	EXPECT_STREQ("io_print (0x0010)\n", self->out);
	type(self, "$m calls none 0x13fe");
	EXPECT_EQ(1, self->status);
}

TEST_F(tool, reads_and_prints_lines)
{
	put(self, "a.masm",
	    ".func main\nCONST_STR \"name? \" SYSCALL 0x0014\n"
	    "CONST_STR \"!\" CONCAT SYSCALL 0x0011 POP\n"
	    "CONST_STR \"oops\" SYSCALL 0x0012 POP SYSCALL 0x0013 RET\n.end\n");
	type(self, "echo Ada | $m run $d/a.masm");
	EXPECT_EQ(0, strncmp(self->out, "name? Ada!\noops", 15));
	EXPECT_NE(NULL, strstr(self->out, "Closed: io_input: the input"));
	type(self, "printf '\\377\\n' | $m run $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "Encoding: io_input_prompt: "));
	type(self, "head -c 70000 /dev/zero | $m run $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "Limit: io_input_prompt: "));
}

TEST_F(tool, passes_arguments_and_the_exit_status)
{
	put(self, "a.masm",
	    ".func main\n.arity 1\nGET_LOCAL 0 CONST_I64 1 INDEX\n"
	    "SYSCALL 0x0011 POP GET_LOCAL 0 LEN RET\n.end\n");
	type(self, "$m run $d/a.masm one --two three");
	EXPECT_STREQ("--two\n", self->out);
	EXPECT_EQ(3, self->status);
	put(self, "b.masm", ".func main\n.arity 2\nGET_LOCAL 0 RET\n.end\n");
	type(self, "$m run $d/b.masm");
	EXPECT_EQ(1, self->status);
	EXPECT_NE(NULL, strstr(self->out, "main takes neither"));
}

TEST_F(tool, keeps_the_limits)
{
	type(self, "$m run --fuel 1000 $e/fuel.masm | sed s,^.*:,,");
	EXPECT_NE(NULL, strstr(self->out, "begins\n"));
	type(self, "$m run --fuel 1000 $e/fuel.masm");
	EXPECT_NE(NULL, strstr(self->out, "Fuel: the fuel is spent\n"));
	EXPECT_EQ(1, self->status);
	put(self, "a.masm",
	    ".func main\n.locals 1\nCALL \"main\" 0 RET\n.end\n");
	type(self, "$m run --stack 100 $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "Limit: "));
	put(self, "b.masm", ".func main\nCONST_I64 100000 ALLOC RET\n.end\n");
	type(self, "$m run --heap 50000 $d/b.masm");
	EXPECT_NE(NULL, strstr(self->out, "MemoryLimit: "));
	type(self, "$m run --heap 500000 $d/b.masm");
	EXPECT_EQ(0, self->status);
}

TEST_F(tool, traces_calls)
{
	type(self, "$m run --trace $e/hello.masm");
	EXPECT_NE(NULL,
		  strstr(self->out, "mathis: call: main\nHello, MATHIS!\n"));
	EXPECT_NE(NULL, strstr(self->out, "mathis: return: main\n"));
	EXPECT_NE(NULL, strstr(self->out,
			       " io_println(\"Hello, MATHIS!\") = none <0."));
	type(self, "$m run --trace --deny-console $e/hello.masm");
	EXPECT_NE(NULL, strstr(self->out, "\") = Denied ("));
}

TEST_F(tool, traces_no_secrets)
{
	put(self, "a.masm",
	    ".func main\nCONST_STR \"sha256\" CONST_STR \"hunter2\"\n"
	    "CONST_STR \"data\" SYSCALL crypto_hmac RET\n.end\n");
	type(self, "$m run --trace $d/a.masm");
	EXPECT_NE(NULL,
		  strstr(self->out,
			 "crypto_hmac(\"sha256\", <7 bytes>, <4 bytes>) = "));
	EXPECT_EQ(NULL, strstr(self->out, "hunter2"));
}

/* A call that a line left behind does not end one of the next line. */
TEST_F(tool, ends_the_calls_of_a_line_with_it)
{
	put(self, "in",
	    "CONST_I64 0 SYSCALL sem_new DUP SYSCALL sem_acquire.future POP\n"
	    "CONST_I64 0 SYSCALL sem_new SYSCALL sem_acquire.future SWAP SYSCALL sem_release POP SYSCALL task_yield POP SYSCALL task_status\n");
	type(self, "$m repl <$d/in");
	EXPECT_NE(NULL, strstr(self->out, "\n(\"calls\")\n"));
}

TEST_F(tool, refuses_what_it_does_not_know)
{
	static const char *const wrong[] = {
		"$m",
		"$m frob",
		"$m run",
		"$m run --frob $e/hello.masm",
		"$m run --fuel 0 $e/hello.masm",
		"$m run --fuel -1 $e/hello.masm",
		"$m run --heap x $e/hello.masm",
		"$m run --stack 99999999999 $e/hello.masm",
		"$m run --deadline 0 $e/hello.masm",
		"$m run --allow-frob $e/hello.masm",
		"$m run --manifest $d/none $e/hello.masm",
		"$m asm",
		"$m asm -q $e/hello.masm",
		"$m dis",
		"$m repl file",
		"$m link",
		"$m link $e/hello.masm",
		"$m link -q $e/hello.masm $e/hello.masm",
		"$m run --link $e/hello.masm",
		"$m run --snapshot a $e/hello.masm",
		"$m run --restore a $e/hello.masm argument",
		"$m check",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		type(self, wrong[i]);
		EXPECT_EQ(2, self->status)
		{
			TH_LOG("%s", wrong[i]);
		}
		EXPECT_NE(NULL, strstr(self->out, "usage: mathis"));
	}
	type(self, "$m --help");
	EXPECT_EQ(0, self->status);
}

TEST_F(tool, keeps_the_link_and_the_mode_of_its_output)
{
	type(self, "umask 027; $m asm -o $d/a $e/hello.masm; stat -c %a $d/a");
	EXPECT_STREQ("640\n", self->out);
	type(self,
	     "chmod 604 $d/a; ln -s a $d/b; $m asm -o $d/b $e/tasks.masm;"
	     "stat -c %a $d/a; readlink $d/b; $m asm -o $d/c $e/tasks.masm;"
	     "cmp $d/a $d/c; ls $d");
	EXPECT_STREQ("604\na\na\nb\nc\n", self->out);
}

TEST_F(tool, writes_to_a_pipe)
{
	type(self, "$m asm -o $d/a $e/hello.masm");
	type(self, "$m asm -o /proc/self/fd/1 $e/hello.masm | cmp - $d/a");
	EXPECT_STREQ("", self->out);
	EXPECT_EQ(0, self->status);
}

TEST_F(tool, prints_a_trace_only_where_it_may)
{
	put(self, "a.masm",
	    ".func main\nCONST_I64 7 TRACE CONST_NONE RET\n.end\n");
	type(self, "$m run $d/a.masm");
	EXPECT_STREQ("mathis: trace: 7\n", self->out);
	type(self, "$m run --deny-console $d/a.masm");
	EXPECT_STREQ("", self->out);
	type(self, "$m run --deny-console --trace $d/a.masm");
	EXPECT_NE(NULL, strstr(self->out, "mathis: trace: 7\n"));
}

TEST_F(tool, leaves_no_half_file)
{
	type(self, "$m asm -o /dev/full $e/hello.masm");
	EXPECT_EQ(1, self->status);
	put(self, "a", "old\n");
	type(self, "(trap '' XFSZ; ulimit -f 0; $m asm -o $d/a $e/hello.masm)");
	EXPECT_EQ(1, self->status);
	type(self, "cat $d/a; ls $d");
	EXPECT_STREQ("old\na\n", self->out);
	type(self, "$m asm -o $d/none/a $e/hello.masm");
	EXPECT_EQ(1, self->status);
	type(self, "$m run $e/hello.masm >/dev/full");
	EXPECT_EQ(1, self->status);
	type(self, "$m dis $e/hello.masm >/dev/full");
	EXPECT_EQ(1, self->status);
	EXPECT_NE(NULL, strstr(self->out, "mathis: standard output: No space"));
}

TEST_HARNESS_MAIN
