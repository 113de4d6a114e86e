//go:build !windows

package realserver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"rekey/internal/cred"
)

// TooLateAtEveryPiece does each deed with the run being another process's from each thing
// on that the client sends, as after having been stopped there: what changes the server
// is not sent any more. Before that it finds out which piece is the one that changes it.
func (i *Issuing) TooLateAtEveryPiece(port int, id string, deeds []Deed) {
	i.T.Helper()
	var late atomic.Bool
	i.Late = func(context.Context) error {
		if late.Load() {
			return errors.New("the run is another process's")
		}
		return nil
	}
	proxy := NewProxy(i.T, port)
	for _, d := range deeds {
		tried := 0
		do := func(fault Fault, at int, strike func()) (did, struck bool, err error) {
			tried++
			tag := fmt.Sprintf("%s-late%d-%d-%d", id, fault, at, tried)
			late.Store(false)
			proxy.Set(fault, at, strike)
			err = d.Do(proxy.Port, tag)
			struck, _ = proxy.Struck()
			i.Judge(d, tag, err)
			return d.Did(tag), struck, err
		}
		changes := 0 // the piece without which nothing is changed
		for at := 1; ; at++ {
			did, struck, _ := do(Before, at, nil)
			if !struck {
				break
			}
			if !did {
				changes = at
			}
		}
		refused := 0
		for at := 1; at < changes; at++ {
			var did bool
			var err error
			for range 3 { // what needs no answer is followed at once by what may be on its way by then
				if did, _, err = do(Pass, at, func() { late.Store(true) }); !did && err != nil {
					break
				}
			}
			if did || err == nil {
				i.T.Errorf("%s: it was too late from piece %d on, and piece %d went out and changed the server (%v)", d.Name, at, changes, err)
			}
			if cred.ClassOf(err) != cred.Done {
				refused++
			}
		}
		if refused < 3 {
			i.T.Errorf("%s: it was too late %d times: the change is piece %d", d.Name, refused, changes)
		}
	}
	i.Late = nil
}
