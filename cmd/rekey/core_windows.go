package main

// noCore: Windows writes no dump of a process unless it is set up to.
func noCore() {}
