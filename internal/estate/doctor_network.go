package estate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"rekey/internal/sop"
)

// hosts are all places that a run asks.
func hosts(specs []sop.Spec, addresses []string) (out []string) {
	seen := map[string]bool{}
	add := func(address string) {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return
		}
		if base := u.Scheme + "://" + u.Host; !seen[base] {
			seen[base] = true
			out = append(out, base)
		}
	}
	for _, x := range addresses {
		add(x)
	}
	for _, spec := range specs {
		for _, p := range spec.Validate {
			add(p.URL)
		}
		for _, c := range spec.Verify {
			add(c.URL)
		}
	}
	return out
}

// network asks each host for its head, with no credential: any answer will do, and
// tells the host's clock.
func (e *Estate) knock(ctx context.Context, bases []string, transport http.RoundTripper) []Finding {
	found := make([][]Finding, len(bases))
	var wait sync.WaitGroup
	turn := make(chan struct{}, knocksAtOnce)
	for i, base := range bases {
		turn <- struct{}{}
		wait.Go(func() {
			found[i] = e.knockAt(ctx, base, transport)
			<-turn
		})
	}
	wait.Wait()
	out := slices.Concat(found...)
	slices.SortStableFunc(out, func(x, y Finding) int { return strings.Compare(y.About, x.About) })
	return out
}

func (e *Estate) knockAt(ctx context.Context, base string, transport http.RoundTripper) []Finding {
	ctx, cancel := context.WithTimeout(ctx, knockTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, base+"/", nil)
	if err != nil {
		return []Finding{{"network", base + ": " + err.Error(), false, "fix the address"}}
	}
	began := e.now()
	res, err := transport.RoundTrip(req)
	if err != nil {
		then := "check the network, the proxy (HTTPS_PROXY) and the host name"
		why := err.Error()
		if e, ok := err.(net.Error); ok && e.Timeout() {
			why = fmt.Sprintf("no answer within %v", knockTimeout)
		}
		return []Finding{{"network", base + " does not answer: " + why, false, then}}
	}
	_ = res.Body.Close()
	out := []Finding{{"network", base + " answers", true, ""}}
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return out
	}
	middle := began.Add(e.now().Sub(began) / 2)
	if skew := middle.Sub(theirs).Round(time.Second); skew.Abs() > skewed {
		out = append(out, Finding{"clock", fmt.Sprintf("this clock and the one of %s are %v apart", base, skew.Abs()), false, "set this machine's clock: times that vendors tell are compared with it"})
	} else {
		out = append(out, Finding{"clock", "agrees with " + base, true, ""})
	}
	return out
}
