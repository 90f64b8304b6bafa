// Package storetest proves that a store keeps the promises of package store,
// and breaks them on purpose for tests of the code above.
package storetest
