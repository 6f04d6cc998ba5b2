/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One lane of a ring of lib/ring.c: a writer, a reader, their flags and their
 * bells. Proved for every interleaving: no byte is written before its reader
 * released it, messages arrive whole and in order, and when nothing moves any
 * more, neither side sleeps while it has work (a lost wake-up).
 *
 * Bounds: 2 entries, 4 units of bytes (a unit is PAYLOAD_ALIGN), messages of 1
 * or 2 units, so that entries or bytes run out first, and any number of them.
 * Indices count modulo twice what is in flight. STRIDE is 1, as ring.c has it
 * for 2 entries, or 2, where the last release of a stride tells the writer, as
 * for 8.
 *
 * The store of head in phi_ring_release() is not sequentially consistent: here
 * it becomes visible some time later, one step after the other (proctype
 * memory). What a mutant weakens goes the same way.
 *
 * reach: all
 * variant: -DSTRIDE=1
 * variant: -DSTRIDE=2
 */
#define ENTRIES 2
#define INDEX(x) ((x) & (2 * ENTRIES - 1))
#define SLOT(x) ((x) & (ENTRIES - 1))
#define BYTES 4
#define OFFSET(x) ((x) & 3)
#define COUNT(x) ((x) & 7)

/* struct ring_lane, as the other side sees it */
byte tail;
byte head;
bit reader_sleeps;
bit writer_sleeps;
byte desc_at[ENTRIES];
byte desc_len[ENTRIES];

/* as its own side has it */
byte tail_own; /* tx->tail */
byte head_own; /* rx->head */

/* eventfds: only whether they count anything matters */
bit bell_reader;
bit bell_writer;

/* by unit of bytes: the message in it, counted from 1, or 0 once released */
byte holds[BYTES];

bit reader_waits;
bit writer_waits;

/* struct ring_tx */
byte tx_head; /* head_seen */
byte tx_data_tail;
byte tx_data_head;
byte tx_want;
byte tx_start;
byte tx_end[ENTRIES];

/* struct ring_rx */
byte rx_told;
byte rx_tail; /* tail_seen */

bit fits;

/* tx_fits() */
inline tx_fits()
{
	tx_start = tx_data_tail;
	if
	:: tx_want > BYTES - OFFSET(tx_data_tail) ->
		tx_start = COUNT(tx_start + BYTES - OFFSET(tx_data_tail))
	:: else
	fi;
	fits = INDEX(tail_own - tx_head) < ENTRIES &&
	       COUNT(tx_start - tx_data_head) + tx_want <= BYTES;
	if
	:: !fits -> tx_start = 0
	:: else
	fi
}

/* tx_refresh(): one load of head */
inline tx_refresh()
{
	assert(INDEX(head - tx_head) <= INDEX(tail_own - tx_head));
	if
	:: head != tx_head ->
		tx_data_head = tx_end[SLOT(head + ENTRIES - 1)];
		do
		:: tx_head != head ->
			tx_end[SLOT(tx_head)] = 0;
			tx_head = INDEX(tx_head + 1)
		:: else -> break
		od
	:: else
	fi
}

/* wake() on the reader's flag: a load, then an exchange, then the bell */
inline wake_reader()
{
	if
	:: reader_sleeps ->
		if
		:: atomic { reader_sleeps -> reader_sleeps = 0 };
			bell_reader = 1
		:: atomic { !reader_sleeps -> skip }
		fi
	:: else
	fi
}

inline wake_writer()
{
	if
	:: writer_sleeps ->
		if
		:: atomic { writer_sleeps -> writer_sleeps = 0 };
			bell_writer = 1
		:: atomic { !writer_sleeps -> skip }
		fi
	:: else
	fi
}

/* phi_ring_reserve() found room: the bytes are written, then committed */
inline commit()
{
	d_step {
		u = 0;
		do
		:: u < tx_want ->
			assert(holds[OFFSET(tx_start) + u] == 0);
			holds[OFFSET(tx_start) + u] = INDEX(tail_own) + 1;
			u++
		:: else -> break
		od;
		u = 0;
		tx_data_tail = COUNT(tx_start + tx_want);
		tx_end[SLOT(tail_own)] = tx_data_tail;
		desc_at[SLOT(tail_own)] = OFFSET(tx_start);
		desc_len[SLOT(tail_own)] = tx_want;
		/* what is of no use any more must not count as a state */
		tx_start = 0;
		tx_want = 0;
		fits = 0
	}
	/* atomic_store(&tx->lane->tail, ++tx->tail) */
	d_step {
		tail_own = INDEX(tail_own + 1);
#ifndef MUTANT_RELAXED_COMMIT
		tail = tail_own
#endif
	}
	wake_reader()
}

/* phi_ring_arm(PHI_RING_OUT): flag first, then the index */
inline arm_out()
{
#ifdef MUTANT_LOOK_FIRST_OUT
	d_step { tx_refresh(); tx_fits() }
	writer_sleeps = 1;
#else
	writer_sleeps = 1;
	d_step { tx_refresh(); tx_fits() }
#endif
	if
	:: atomic { fits -> writer_sleeps = 0 }
	:: atomic { !fits -> writer_waits = 1 }
	fi
}

proctype writer()
{
	byte u;

	do
	:: skip; /* it may have nothing more to send */
		break
	:: tx_want = 1;
		if
		:: tx_want = 2
		:: skip
		fi;
		/* phi_ring_reserve() */
		d_step {
			tx_fits();
			if
			:: !fits ->
				tx_refresh();
				tx_fits()
			:: else
			fi
		};
		/* phi_ring_wait(): arm, doze, arm again */
		do
		:: fits -> break
		:: else ->
			arm_out();
			if
			:: fits -> break
			:: else
			fi;
#ifdef MUTANT_QUIET_FIRST
			bell_writer = 0;
#endif
			/* ppoll() in doze() */
end_doze:		atomic { bell_writer -> writer_waits = 0 };
			/* phi_ring_quiet() */
			bell_writer = 0
		od;
		commit()
	od
}

/* tell_writer() */
inline tell_writer()
{
	if
	:: rx_told != head_own ->
		d_step {
			rx_told = head_own;
#ifndef MUTANT_RELAXED_TELL
			head = head_own
#endif
		}
		wake_writer()
	:: else
	fi
}

/* rx_refresh(): one load of tail, when all that was seen is taken */
inline rx_refresh()
{
	d_step {
		if
		:: head_own == rx_tail ->
			assert(INDEX(tail - head_own) <= ENTRIES);
			rx_tail = tail
		:: else
		fi
	}
}

/*
 * phi_ring_peek(), and the user reads the bytes. That they are not written
 * meanwhile is what commit() asserts.
 */
inline read_bytes(at)
{
	d_step {
		u = 0;
		do
		:: u < desc_len[SLOT(at)] ->
			assert(holds[desc_at[SLOT(at)] + u] == INDEX(at) + 1);
			holds[desc_at[SLOT(at)] + u] = 0;
			u++
		:: else -> break
		od;
		u = 0;
		desc_at[SLOT(at)] = 0;
		desc_len[SLOT(at)] = 0
	}
}

/* phi_ring_release() */
inline release()
{
	head_own = INDEX(head_own + 1);
	if
	:: INDEX(head_own - rx_told) >= STRIDE -> tell_writer()
	:: else /* a release store: proctype memory shows it */
	fi
}

/* phi_ring_arm(PHI_RING_IN) */
inline arm_in()
{
#ifndef MUTANT_NO_TELL
	tell_writer();
#endif
#ifdef MUTANT_LOOK_FIRST_IN
	rx_refresh();
	reader_sleeps = 1;
#else
	reader_sleeps = 1;
	rx_refresh();
#endif
	if
	:: atomic { head_own != rx_tail -> reader_sleeps = 0 }
	:: atomic { head_own == rx_tail -> reader_waits = 1 }
	fi
}

proctype reader()
{
	byte u;

	do
	:: skip;
		rx_refresh();
		if
		:: head_own != rx_tail ->
#ifdef MUTANT_EARLY_RELEASE
			release();
			read_bytes(INDEX(head_own - 1))
#else
			read_bytes(head_own);
			release()
#endif
		:: else ->
			/* phi_ring_peek() before -EAGAIN */
#ifndef MUTANT_NO_TELL
			tell_writer();
#endif
			if
			:: break /* it never looks again */
			:: skip
			fi
		fi
	:: skip;
		arm_in();
		if
		:: reader_waits ->
end_doze:		atomic { bell_reader -> reader_waits = 0 };
			bell_reader = 0
		:: else
		fi
	od
}

/* Stores that are not sequentially consistent arrive late, but in order. */
proctype memory()
{
end_memory:
	do
	:: atomic { head != head_own -> head = INDEX(head + 1) }
#ifdef MUTANT_RELAXED_COMMIT
	:: atomic { tail != tail_own -> tail = INDEX(tail + 1) }
#endif
	od
}

/* Nothing can move any more: whoever sleeps has seen all there is. */
proctype monitor()
{
end_monitor:
	timeout -> atomic {
		assert(!reader_waits || tail_own == head_own);
		assert(!writer_waits || head_own == tx_head)
	}
}

init {
	atomic {
		run writer();
		run reader();
		run memory();
		run monitor()
	}
}
