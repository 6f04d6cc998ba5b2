/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of capabilities: derivation, transfer, use, revoke and exit beside
 * each other, step by step as in kmod/node.c, sweep.c, slot.c, cspace.c and
 * mailbox.c. Proved for every interleaving:
 *
 *  - no capability passes a check that began after the revoke returned;
 *  - the object is not freed while a call has a pin, and no node is touched
 *    that has no reference, but for reads under RCU;
 *  - a node drops the pin of its life once, and at the end nothing is left;
 *  - when the revoke has returned and no call is in progress, dead handles keep
 *    no object;
 *  - an endpoint that had receivers and has none is dead: callers get -EPIPE.
 *
 * Bounds: a root, a child sent in a message, a grandchild derived by the
 * receiver; one each of who sends, receives, uses and revokes. A version
 * counts to 1. A critical section of more than one step holds a bit.
 */
#define R 0 /* root */
#define C 1 /* derived by the sender */
#define G 2 /* derived by the receiver */
#define NODES 3
#define GRAVE 3
#define NONE 4

/* struct phi_cap */
byte ref[NODES];
byte pins[NODES];
bit version[NODES];
bit parent_version[NODES];
byte parent[NODES];
byte root[NODES];
bit linked[NODES]; /* sibling is not empty */
bit ended[NODES];
bit counted[NODES];
bit in_slot[NODES];
bit tree_lock_[NODES]; /* lock */

bit unused[NODES]; /* freed */

/* the endpoint that all of them name */
byte obj_ref;
bit obj_freed;
bit ep_lock;
byte recvs;
bit ep_dead;
bit ep_served; /* it had a receiver once */

byte message = NONE; /* the node that a queued message owns */
bit sent; /* the sender is done */
bit revoked; /* the revoke has returned */
byte done;

/* phi_tree_lock(): @r is the root of @n, locked; to try again is no step */
inline tree_lock(n, r)
{
	atomic { !tree_lock_[root[n]] -> r = root[n]; tree_lock_[r] = 1 }
}

/* phi_tree_unlink() in a section of its own: @up is the parent, or NONE */
inline unlink(n, up)
{
	atomic {
		!tree_lock_[root[n]] ->
		up = NONE;
		if
		:: linked[n] ->
			linked[n] = 0;
			up = parent[n]
		:: else
		fi
	}
}

/* phi_cap_live(): one load of the parent and one of its version a step */
inline live(n, alive)
{
	w = n;
	do
	:: atomic { parent[w] == NONE -> alive = 1 }; break
	:: atomic { parent[w] == GRAVE -> alive = 0 }; break
	:: atomic { parent[w] < GRAVE -> p = parent[w] };
		atomic {
			alive = version[p] == parent_version[w];
			w = p;
			p = 0
		};
		if
		:: !alive -> break
		:: else
		fi
	od;
	w = 0
}

/* phi_object_put() */
inline object_put()
{
	atomic {
		assert(obj_ref > 0);
		obj_ref--;
		obj_freed = obj_ref == 0
	}
}

/* phi_stub_put(): up the chain, as long as references go to zero */
inline stub_put(n)
{
	s = n;
	do
	:: atomic { s == NONE -> s = 0 }; break
	:: atomic {
			s != NONE ->
			assert(ref[s] > 0 && !unused[s]);
			ref[s]--;
			last = ref[s] == 0
		};
		if
		:: atomic { !last -> s = 0 }; break
		:: else ->
			/* phi_node_leave() */
			if
			:: parent[s] == NONE -> q = NONE
			:: else -> unlink(s, q)
			fi;
			atomic { unused[s] = 1; last = 0; s = q; q = 0 }
		fi
	od
}

/* phi_cap_tryget() */
inline tryget(n, ok)
{
	atomic {
		ok = pins[n] > 0;
		pins[n] = pins[n] + ok
	}
}

/* phi_cap_put() */
inline put(n)
{
	atomic { assert(pins[n] > 0); pins[n]--; last = pins[n] == 0 };
	if
	:: atomic { last -> last = 0 }; object_put(); stub_put(n)
	:: else
	fi
}

/* phi_cap_end(): an exchange, then the pin of its life goes */
inline end(n)
{
#ifdef MUTANT_END_TWICE
	ok = !ended[n];
	ended[n] = 1;
#else
	atomic { ok = !ended[n]; ended[n] = 1 };
#endif
	if
	:: ok -> put(n)
	:: else
	fi
}

/* phi_endpoint_uncount(), for ops->removed and ops->dead */
inline uncount(n)
{
	atomic {
		!ep_lock ->
		if
		:: counted[n] ->
			counted[n] = 0;
			recvs--;
			ep_dead = ep_dead || recvs == 0
		:: else
		fi
	}
}

/* phi_cspace_install(), phi_slot_fill() and ops->installed */
inline install(n)
{
	tryget(n, pinned);
	if
	:: pinned ->
		atomic { !ep_lock -> ep_lock = 1 };
#ifdef MUTANT_COUNT_DEAD
		a = 1;
#else
		live(n, a);
#endif
		atomic {
			counted[n] = a;
			recvs = recvs + a;
			ep_served = ep_served || a;
			ep_lock = 0
		}
	:: else
	fi;
	in_slot[n] = 1;
	if
	:: pinned -> put(n)
	:: else
	fi;
	atomic { pinned = 0; a = 0 }
}

/* phi_cspace_remove(): the node is the caller's now */
inline remove(n)
{
	in_slot[n] = 0;
	tryget(n, pinned);
	if
	:: pinned -> uncount(n); put(n)
	:: else
	fi;
	pinned = 0
}

/* phi_cap_release() */
inline release(n)
{
	end(n);
	stub_put(n)
}

/*
 * phi_cspace_glance(): @ok says that @n is pinned. A slot that another node
 * fills meanwhile has another generation, which is not modelled.
 */
inline glance(n)
{
	if
	:: in_slot[n] ->
#ifdef MUTANT_NO_PIN
		ok = 1;
#else
		tryget(n, ok);
#endif
		if
		:: ok && !in_slot[n] -> put(n); ok = 0
		:: else
		fi
	:: else -> ok = 0
	fi
}

/* phi_cap_child(), phi_tree_link(): @n from @from, which is pinned */
inline derive(n, from)
{
	atomic {
		ref[n] = 2;
		pins[n] = 1;
		parent[n] = NONE;
		root[n] = n;
		assert(!obj_freed);
		obj_ref++
	};
	tree_lock(from, t);
	parent_version[n] = version[from];
#ifdef MUTANT_LINK_UNSEEN
	a = 1;
#else
	live(from, a);
#endif
	if
	:: a ->
		atomic {
#ifndef MUTANT_NO_STUB
			ref[from]++;
#endif
			parent[n] = from;
			root[n] = t;
			linked[n] = 1
		}
	:: else
	fi;
	atomic { tree_lock_[t] = 0; t = 0 }
}

/* phi_send() with a copy of R in the message */
proctype sender()
{
	byte w, p, s, q, t;
	bit last, ok, a;

	glance(R);
	if
	:: ok ->
		live(R, a);
		derive(C, R);
		if
		:: a -> message = C
		:: else -> release(C)
		fi;
		put(R)
	:: else
	fi;
	atomic { sent = 1; done++ }
}

/* A process that receives, derives, moves, and exits or stays. */
proctype receiver()
{
	byte w, p, s, q, t;
	bit last, ok, a, pinned, moved;

	do
	:: message == C ->
		message = NONE;
		if
		:: release(C); break /* the endpoint died: the queue is flushed */
		:: install(C)
		fi;
		if
		:: /* phi_cap_derive() */
			glance(C);
			if
			:: ok ->
				live(C, a);
				if
				:: a && !ref[G] && !unused[G] ->
					derive(G, C);
					if
					:: a -> install(G)
					:: else -> release(G)
					fi
				:: else
				fi;
				put(C)
			:: else
			fi
		:: skip
		fi;
		if
		:: !moved -> /* PHI_XFER_MOVE, and it comes back */
			moved = 1;
			remove(C);
			message = C
		:: break
		fi
	:: sent && message == NONE -> break
	od;
	/* phi_cspace_close() */
	if
	:: in_slot[C] -> remove(C); release(C)
	:: skip
	fi;
	if
	:: in_slot[G] -> remove(G); release(G)
	:: skip
	fi;
	done++
}

/* A call of another thread of that process. */
proctype user()
{
	byte w, p, s, q, t;
	bit last, ok, a, late;
	byte n;

	if
	:: n = C
	:: n = G
	fi;
	glance(n);
	if
	:: ok ->
		late = revoked;
		live(n, a);
		/* C was derived before the revoke, or not */
		assert(!(late && a && !parent_version[C]));
		if
		:: a ->
			/* obj is followed while the call lasts */
			assert(!obj_freed);
			assert(!obj_freed)
		:: else
		fi;
#ifndef MUTANT_NO_PIN
		put(n)
#endif
	:: else
	fi;
	done++
}

/* phi_sweep_leaf() below R, as far as it is dead: leaves first */
inline sweep_leaf()
{
	atomic {
		leaf = NONE;
		if
		:: linked[C] && parent[C] == R &&
		   parent_version[C] != version[R] ->
			leaf = C;
			if
			:: linked[G] && parent[G] == C -> leaf = G
			:: else
			fi
		:: else
		fi
	}
}

/* phi_sweep_node() */
inline sweep_node()
{
	tryget(leaf, ok);
	if
	:: ok -> uncount(leaf); put(leaf)
	:: else
	fi;
	end(leaf);
	/* phi_tree_bury() */
	tree_lock(leaf, t);
	if
	:: linked[leaf] ->
		atomic { linked[leaf] = 0; q = parent[leaf] };
		parent[leaf] = GRAVE;
		root[leaf] = leaf
	:: else -> q = NONE
	fi;
	atomic { tree_lock_[t] = 0; t = q; q = 0 };
	stub_put(t);
	t = 0
}

/* phi_cap_revoke_children(), and the owner of the root may exit. */
proctype revoker()
{
	byte w, p, s, q, t;
	bit last, ok, pinned;
	byte leaf;

	glance(R);
#ifndef MUTANT_SWEEP_FIRST
	version[R] = 1;
#endif
	do
	:: /* phi_sweep_step() */
		tree_lock(R, t);
#ifdef MUTANT_SWEEP_FIRST
		version[R] = 1 - version[R];
#endif
		sweep_leaf();
#ifdef MUTANT_SWEEP_FIRST
		version[R] = 1 - version[R];
#endif
		if
		:: leaf == NONE -> atomic { tree_lock_[t] = 0; t = 0 }; break
		:: atomic { leaf != NONE && ref[leaf] == 0 -> skip };
			/* who frees it waits for the lock */
			atomic {
				linked[leaf] = 0;
				q = parent[leaf];
				tree_lock_[t] = 0;
				t = q;
				q = 0
			};
			stub_put(t);
			t = 0
		:: atomic { leaf != NONE && ref[leaf] > 0 -> ref[leaf]++ };
			atomic { tree_lock_[t] = 0; t = 0 };
			sweep_node();
			stub_put(leaf)
		fi
	od;
#ifdef MUTANT_SWEEP_FIRST
	version[R] = 1;
#endif
	revoked = 1;
	put(R);
	if
	:: remove(R); release(R)
	:: skip
	fi;
	done++
}

/* Nothing is in progress. The revoke killed C if that was derived before. */
#define DEAD_C (parent[C] == GRAVE || parent_version[C] != version[R])
#define DEAD_G (parent[G] == GRAVE || DEAD_C)

proctype monitor()
{
end_monitor:
	done == 4 -> atomic {
		/* what is alive is in a slot and has one pin; nothing else */
		assert(pins[R] == in_slot[R]);
		assert(pins[C] == (in_slot[C] && !DEAD_C));
		assert(pins[G] == (in_slot[G] && !DEAD_G));
		assert(obj_ref == pins[R] + pins[C] + pins[G]);
		assert(recvs == pins[C] + pins[G]);
		assert(!ep_served || ep_dead || recvs > 0);
		/* what nobody owns, nor has a child of, is free */
		assert(in_slot[G] || unused[G] || ref[G] == 0);
		assert(in_slot[C] || unused[C] || ref[C] == 0 ||
		       (in_slot[G] && parent[G] == C));
		assert(in_slot[R] || unused[R] ||
		       (!unused[C] && parent[C] == R))
	}
}

init {
	atomic {
		ref[R] = 2;
		pins[R] = 1;
		parent[R] = NONE;
		parent[C] = NONE;
		parent[G] = NONE;
		root[C] = C;
		root[G] = G;
		in_slot[R] = 1;
		obj_ref = 1;
		run sender();
		run receiver();
		run user();
		run revoker();
		run monitor()
	}
}
