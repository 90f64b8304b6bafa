// Package house holds no code: its tests keep the rules of the whole module.
//
//	imports point downwards only, every package says what it is,
//	every exported name is explained, every entry point has an example that runs
package house
