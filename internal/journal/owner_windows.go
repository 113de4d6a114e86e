package journal

// handOver: a folder's rights are inherited there.
func handOver(string) {}
