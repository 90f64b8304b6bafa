// Package bitmap reads and writes the serialised roaring bitmaps that columns
// of the aggregate functions rbm32 and rbm64 hold, and guards the roaring
// library from bytes that are no bitmap.
//
// Both forms keep sets of 16-bit numbers in containers of the same bytes: a
// sorted array, a field of 65,536 bits, or runs. They differ in how a container
// is found:
//
//	32 bits   header: upper 16 bits and size of each container, then containers
//	64 bits   a radix tree from the upper 48 bits to container numbers, then containers
//
// The first is the portable form of all roaring libraries. The second is how
// Java's Roaring64Bitmap writes itself; the library of Go knows only another
// form for 64 bits (portable bitmaps by upper 32 bits), so one is made of the
// other here, container by container.
//
// The functions are pure. Errors say what is wrong with the bytes; callers add
// where these came from.
package bitmap
