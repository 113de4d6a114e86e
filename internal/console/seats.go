package console

import "sync"

// seats are how many may watch at the same time: of all so many, and of one person so
// many, so that nobody takes them all.
type seats struct {
	all, each int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

// take takes one, until it is left; false: there is none for him.
func (s *seats) take(who string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all || s.of[who] >= s.each {
		return nil, false
	}
	s.taken++
	s.of[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.of[who]--; s.of[who] == 0 {
			delete(s.of, who)
		}
	}, true
}
