// Package snapshot is the chain of a table's states and the commit protocol
// that makes it longer (format section 2).
//
// A snapshot is one small JSON file that names the manifest lists of one state.
// Ids are dense, the first is 1, and a commit is the creation of the next id:
//
//	snapshot-6 <── snapshot-7 <── snapshot-8        created only if absent
//	                                  ├── base manifest list   all before this commit
//	                                  ├── delta manifest list  this commit
//	                                  └── index manifest       live index files
//
// Chain reads: the newest snapshot, the oldest, one by id or by time.
//
// Committer writes. One attempt takes the newest snapshot as its base, checks
// for conflicts, writes manifests, proves that the base is still what it was,
// and creates the next id. Of many racing writers one wins; the others find
// the id taken, and try again on the new base. When the store's answer is
// lost, the committer reads back what the id holds; it never deletes a file
// that a snapshot may name.
//
// Beside the chain lie tags, which keep a snapshot's file under a name; branches,
// chains of their own; consumers, which say what a follower has still to read;
// and changelogs that outlive their snapshots. Follower waits for the next id.
//
// A commit is made once: its user, identifier and kind, found in the chain,
// tell that it is done already.
package snapshot
