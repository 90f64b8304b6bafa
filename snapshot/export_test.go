package snapshot

// Sleepers is the number of places whose followers are registered.
func Sleepers() int {
	sleepers.mu.Lock()
	defer sleepers.mu.Unlock()
	return len(sleepers.at)
}
