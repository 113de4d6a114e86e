package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"rekey/internal/realserver"
)

// TestNothingIsChangedOnceItIsTooLate, however far the session had come when the process
// was stopped: what is changed goes out with none of its pieces.
func TestNothingIsChangedOnceItIsTooLate(t *testing.T) {
	for name, d := range deeds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held := 0
			for piece := 1; piece < 40; piece++ {
				s := startServer(t, byFile)
				p := realserver.NewProxy(t, s.port)
				var late atomic.Bool
				before := s.acl()
				p.Set(realserver.Pass, piece, func() { late.Store(true) })
				err := d.do(t, openAt(t, p.Port, way{late: func(context.Context) error {
					if late.Load() {
						return errors.New("the run is another process's")
					}
					return nil
				}}, ""))
				_, pieces := p.Struck()
				did, changed := d.did(s), s.acl() != before
				s.kill()
				switch {
				case did: // that piece was the change itself
					if held < 3 || pieces > piece {
						t.Errorf("from piece %d of %d on it was too late, and it was done (%v)", piece, pieces, err)
					}
					return
				case err == nil || changed:
					t.Errorf("from piece %d on it was too late, and something went out (%v)", piece, err)
				}
				held++
			}
		})
	}
}
