package provider

import "sync"

// Memory is what vendors that were opened by one process remember for each other, run
// after run. It ends with the process. Safe for use from many goroutines.
type Memory struct {
	mu    sync.Mutex
	kinds map[string]any
}

// Of returns what is remembered under a name, and makes it if there is nothing; make
// always has to make the same type for it. Without a memory it is made each time.
func Of[T any](m *Memory, name string, make func() T) T {
	if m == nil {
		return make()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kinds == nil {
		m.kinds = map[string]any{}
	}
	kept, ok := m.kinds[name].(T)
	if !ok {
		kept = make()
		m.kinds[name] = kept
	}
	return kept
}
