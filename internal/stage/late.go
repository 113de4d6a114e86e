package stage

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"rekey/internal/world"
)

// arrival is a request that was sent, whose answer nobody waits for any more, and which a
// vendor carries out when it comes to it.
type arrival struct {
	at time.Time
	do func()
}

// arrivesAfter is how long that takes: longer than a process that takes a run up needs to
// look what is live, and than the first tries of a step.
const arrivesAfter = 3*time.Second + 8*callTime

func (s *Stage) later(do func()) {
	s.coming = append(s.coming, arrival{s.Clock.Now().Add(arrivesAfter), do})
}

// arrive lets what is due by now have its effect.
func (s *Stage) arrive() {
	for i := 0; i < len(s.coming); {
		if a := s.coming[i]; !a.at.After(s.Clock.Now()) {
			s.coming = slices.Delete(s.coming, i, i+1)
			a.do()
			continue
		}
		i++
	}
}

// remember keeps what the doubles remember, before a change, for a look that is answered by
// a replica which has not heard of it.
func (s *Stage) remember(changes bool) {
	if !s.stale || !changes {
		return
	}
	s.was = s.was[:0]
	s.World.See(func(*world.State) {
		for _, d := range s.World.Doubles() {
			b, err := json.Marshal(d.Memory())
			if err != nil {
				panic(err)
			}
			s.was = append(s.was, b)
		}
	})
}

// older lets a look be answered as the world was before the last change. What follows from
// that look in the doubles, and whom it finds without access, is not so and is
// forgotten.
func older[T any](s *Stage, send func() (T, error)) (T, error) {
	if len(s.was) == 0 {
		return send()
	}
	var outages []world.Outage
	back := make([]func(), 0, len(s.was))
	s.World.See(func(w *world.State) {
		outages = slices.Clone(w.Outages)
		for i, d := range s.World.Doubles() {
			now := reflect.ValueOf(d.Memory()).Elem()
			kept, was := reflect.New(now.Type()), reflect.New(now.Type())
			kept.Elem().Set(now)
			if err := json.Unmarshal(s.was[i], was.Interface()); err != nil {
				panic(err)
			}
			now.Set(was.Elem())
			back = append(back, func() { now.Set(kept.Elem()) })
		}
	})
	answer, err := send()
	s.World.See(func(w *world.State) {
		for _, undo := range back {
			undo()
		}
		w.Outages = outages
	})
	return answer, err
}
