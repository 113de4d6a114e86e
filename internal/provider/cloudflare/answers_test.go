package cloudflare_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/cloudflare"
	"rekey/internal/sim"
)

// TestOnlyCloudflareSaysWhatIsNotThere: absent, denied and refused count in the
// envelope with numbered errors alone; what a gateway says is unknown.
func TestOnlyCloudflareSaysWhatIsNotThere(t *testing.T) {
	n, i := opened(t, cloudflare.KindServiceToken, nil)
	h := find(t, i, "ci-deploy")
	for body, class := range map[string]cred.Class{
		failure(12109):                     cred.Absent,
		"<html>404</html>":                 cred.Unknown,
		`{}`:                               cred.Unknown,
		`{"error":"not found"}`:            cred.Unknown,
		`{"success":false,"errors":[]}`:    cred.Unknown,
		`{"success":false,"errors":null}`:  cred.Unknown,
		`{"success":true,"result":null}`:   cred.Unknown,
		`[]`:                               cred.Unknown,
		`{"errors":[{"code":12109}]}`:      cred.Unknown,
		`{"success":false,"errors":[{}]}`:  cred.Unknown,
		`{"success":"false","errors":[1]}`: cred.Unknown,
	} {
		n.between = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return says(r, http.StatusNotFound, "application/json", body), nil
		}
		if _, err := i.Find(t.Context(), h); cred.ClassOf(err) != class {
			t.Errorf("a look answered 404 %s: %v", body, err)
		}
		if err := i.Revoke(t.Context(), h); cred.ClassOf(err) != class || !cred.MayHaveHappened(err) {
			t.Errorf("a delete answered 404 %s: %v, and counts as not applied", body, err)
		}
	}
}

// TestWhatProvesThatNothingWasApplied: of a write, only what Cloudflare documents so.
func TestWhatProvesThatNothingWasApplied(t *testing.T) {
	for _, c := range []struct {
		status, code int
		maybe        bool
	}{
		{400, 12139, false}, {429, 971, false}, {429, 10429, false}, {403, 10000, false}, {403, 9109, false}, {401, 1000, false}, {400, 9106, false},
		{400, 6003, false}, {403, 10502, false}, {403, 9999, false},
		{400, 12130, true}, {404, 7003, true}, {404, 12109, true}, {409, 12130, true}, {422, 12130, true}, {302, 12139, true}, {500, 12139, true}, {200, 12130, true}, {200, 12139, false},
	} {
		n, i := opened(t, cloudflare.KindServiceToken, nil) // anew: who is told "too many" asks no more for a while
		h := find(t, i, "ci-deploy")
		n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return send()
			}
			return says(r, c.status, "application/json", failure(c.code)), nil
		}
		_, _, created := i.Create(t.Context(), "x")
		_, switched := i.(provider.Switcher).Switch(t.Context(), h, false)
		for what, err := range map[string]error{"create": created, "delete": i.Revoke(t.Context(), h), "switch": switched} {
			if err == nil || cred.MayHaveHappened(err) != c.maybe {
				t.Errorf("%s answered %d %d: %v; may have happened: %v", what, c.status, c.code, err, cred.MayHaveHappened(err))
			}
		}
	}
}

// TestNoListIsEmptyByAccident: an answer without a list is unknown, never empty.
func TestNoListIsEmptyByAccident(t *testing.T) {
	for _, kind := range []string{cloudflare.KindServiceToken, cloudflare.KindUserToken} {
		n, i := opened(t, kind, nil)
		for _, body := range []string{
			`{}`, `null`, `[]`, ``, `"ok"`, `{"success":true}`, `{"success":true,"result":null}`, `{"success":true,"result":{}}`,
			`{"result":[]}`, `{"success":false,"result":[]}`, `{"success":true,"result":[{}]}`, `{"success":true,"result":[{"name":"x"}],"result_info":{"total_count":1}}`,
		} {
			n.between = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
				return says(r, http.StatusOK, "application/json", body), nil
			}
			if all, err := i.List(t.Context()); cred.ClassOf(err) != cred.Unknown {
				t.Errorf("%s answered %s: %v, %v", kind, body, all, err)
			}
			if a, ok := i.(provider.Admitter); ok {
				if seen, err := a.Places(t.Context()); cred.ClassOf(err) != cred.Unknown {
					t.Errorf("places answered %s: %v, %v", body, seen, err)
				}
			}
		}
	}
}

// TestAnEmptyAnswerWritesNoRule: what is written back is made of what was read.
func TestAnEmptyAnswerWritesNoRule(t *testing.T) {
	n, i := opened(t, cloudflare.KindServiceToken, nil)
	a := i.(provider.Admitter)
	seen, err := a.Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	place := seen.Places[0]
	for _, body := range []string{`{}`, `{"success":true,"result":{}}`, `{"success":true,"result":{"id":"` + place.ID + `"}}`, `{"success":true,"result":{"id":"another","include":[]}}`, `{"success":true,"result":{"id":"` + place.ID + `","include":null}}`} {
		wrote := false
		n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return says(r, http.StatusOK, "application/json", body), nil
			}
			wrote = true
			return send()
		}
		if _, err := a.Admit(t.Context(), place, "some-id"); cred.ClassOf(err) != cred.Unknown || wrote {
			t.Errorf("%s: %v, written: %v", body, err, wrote)
		}
		if _, err := a.Look(t.Context(), place); cred.ClassOf(err) != cred.Unknown {
			t.Errorf("a look answered %s: %v", body, err)
		}
	}
}

// TestAListThatShiftsIsReadAgain: what was deleted on page 1 hides nothing of page 2.
func TestAListThatShiftsIsReadAgain(t *testing.T) {
	for _, shifts := range []int{0, 1, 3} {
		n, i := opened(t, cloudflare.KindServiceToken, func(s *sim.State) { s.Knobs.PageSize, s.Knobs.ListShift = 2, shifts })
		all, err := i.List(t.Context())
		if err != nil || len(all) != 3 {
			t.Errorf("%d shifts: %d of 3 tokens, %v", shifts, len(all), err)
		}
		n.Turn(func(k *sim.Knobs) { k.PageSize, k.ListShift = 1, shifts })
		seen, err := i.(provider.Admitter).Places(t.Context())
		if err != nil || len(seen.Places) != 5 || len(seen.Everyone) != 1 {
			t.Errorf("%d shifts: places %+v, %v", shifts, seen, err)
		}
	}
	_, i := opened(t, cloudflare.KindServiceToken, func(s *sim.State) { s.Knobs.PageSize, s.Knobs.ListShift = 2, 1000 })
	if all, err := i.List(t.Context()); cred.ClassOf(err) != cred.Unknown {
		t.Errorf("a list that never stands still: %v, %v", all, err)
	}
}

// TestATotalThatCountsMoreThanIsShownStands: the same twice is the list.
func TestATotalThatCountsMoreThanIsShownStands(t *testing.T) {
	n, i := opened(t, cloudflare.KindServiceToken, nil)
	n.between = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		items := `[{"id":"a"}]`
		if r.URL.Query().Get("page") != "1" {
			items = `[]`
		}
		return says(r, http.StatusOK, "application/json", `{"success":true,"result":`+items+`,"result_info":{"total_count":2}}`), nil
	}
	if all, err := i.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestALookByIDSeesWhatAListDoesNot, and is Absent only for what is really gone.
func TestALookByIDSeesWhatAListDoesNot(t *testing.T) {
	for _, kind := range []string{cloudflare.KindServiceToken, cloudflare.KindUserToken} {
		n, i := opened(t, kind, nil)
		all, err := i.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h := all[len(all)-1]
		n.Look(func(s *sim.State) {
			for _, x := range s.Cloudflare.Tokens {
				x.Hidden = 5
			}
			for _, x := range s.Cloudflare.APITokens {
				x.Hidden = 5
			}
		})
		if late, err := i.List(t.Context()); err != nil || len(late) != 0 {
			t.Fatalf("%s: the list is late: %v, %v", kind, late, err)
		}
		if got, err := i.Find(t.Context(), h); err != nil || got.Name != h.Name {
			t.Errorf("%s: %v, %v", kind, got, err)
		}
		n.Look(func(s *sim.State) { s.Cloudflare.Tokens, s.Cloudflare.APITokens = nil, s.Cloudflare.APITokens[:1] })
		if got, err := i.Find(t.Context(), h); cred.ClassOf(err) != cred.Absent {
			t.Errorf("%s: gone, and yet %v, %v", kind, got, err)
		}
		if _, err := i.Find(t.Context(), cred.Handle{}); cred.ClassOf(err) != cred.Refused {
			t.Errorf("%s: a look without an id asks for the list: %v", kind, err)
		}
	}
}

// TestARefusalFromHereProvesNothing: a token that may be used from other addresses
// only is neither dead nor nobody's.
func TestARefusalFromHereProvesNothing(t *testing.T) {
	n, i := opened(t, cloudflare.KindUserToken, nil)
	var value string
	n.Look(func(s *sim.State) {
		for _, x := range s.Cloudflare.APITokens {
			if strings.HasPrefix(x.Name, "raxx-dns") {
				value = x.Value
			}
		}
	})
	all, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := bundle(value)
	for from, want := range map[string]cred.Verdict{"": cred.Accepted, "192.0.2.7": cred.Accepted, "198.51.100.9": cred.Unclear} {
		n.Turn(func(k *sim.Knobs) { k.From = from })
		verdict, detail, err := i.Probe(t.Context(), issuerItself, b)
		if err != nil || verdict != want || want == cred.Unclear && !strings.Contains(detail, "proves nothing") {
			t.Errorf("from %q: %s (%s), %v", from, verdict, detail, err)
		}
		id, err := i.Owner(t.Context(), b, all)
		if want == cred.Accepted && (err != nil || id == "") || want == cred.Unclear && (cred.ClassOf(err) != cred.Denied || !strings.Contains(err.Error(), "condition.request_ip")) {
			t.Errorf("from %q it belongs to %q, %v", from, id, err)
		}
	}
	n.Turn(func(k *sim.Knobs) { k.From = "" })
	if verdict, _, err := i.Probe(t.Context(), issuerItself, i.Wrong()); verdict != cred.Rejected || err != nil {
		t.Errorf("a made-up one: %s, %v", verdict, err)
	}
	for _, code := range []int{10000, 9109, 10502, 9106} {
		n.between = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return says(r, http.StatusForbidden, "application/json", failure(code)), nil
		}
		if verdict, _, _ := i.Probe(t.Context(), issuerItself, b); verdict != cred.Unclear {
			t.Errorf("refused with %d: %s", code, verdict)
		}
		if id, err := i.Owner(t.Context(), b, all); err == nil {
			t.Errorf("refused with %d it belongs to %q", code, id)
		}
	}
}

// TestAPageOfOnesOwnForTheDeniedIsARefusal by the gate; any other redirect is not.
func TestAPageOfOnesOwnForTheDeniedIsARefusal(t *testing.T) {
	const page = "https://raxx.example.com/denied?why=access"
	for _, c := range []struct {
		deny, other string
		to          string
		want        cred.Verdict
	}{
		{deny: page, to: page, want: cred.Rejected},
		{other: page, to: page, want: cred.Rejected},
		{deny: "https://raxx.example.com/people", other: page, to: page, want: cred.Rejected},
		{deny: page, to: page + "&aud=1", want: cred.Rejected},
		{deny: page, to: "https://raxx.example.com/denied/?why=access", want: cred.Rejected},
		{deny: page, to: "https://raxx.example.com/denied", want: cred.Unclear},
		{deny: page, to: "https://raxx.example.com/sign-in", want: cred.Unclear},
		{deny: page, to: "http://raxx.example.com/denied?why=access", want: cred.Unclear},
		{deny: page, to: "https://example.com/denied?why=access", want: cred.Unclear},
		{to: page, want: cred.Unclear},
		{to: "", want: cred.Unclear},
	} {
		n, i := opened(t, cloudflare.KindServiceToken, func(s *sim.State) {
			s.Cloudflare.Apps[0].Deny, s.Cloudflare.Apps[0].DenyNonIdentity = c.deny, c.other
			s.Cloudflare.Apps[1].Deny = "https://raxx.example.com/sign-in" // another application's page
		})
		n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.URL.Host != "console.raxx.app" || r.Method != http.MethodGet {
				return send()
			}
			resp := says(r, http.StatusFound, "text/html", "")
			resp.Header.Set("Location", c.to)
			return resp, nil
		}
		got, detail, err := i.Probe(t.Context(), console, i.Wrong())
		if got != c.want || err != nil {
			t.Errorf("%+v: %s (%s), %v", c, got, detail, err)
		}
	}
}

// TestThatPageIsFoundByTheDomainToo, where the gate leads away whatever asks.
func TestThatPageIsFoundByTheDomainToo(t *testing.T) {
	const page = "https://raxx.example.com/denied"
	for domain, want := range map[string]cred.Verdict{
		"console.raxx.app": cred.Rejected, "console.raxx.app/health": cred.Rejected, "*.raxx.app": cred.Rejected, "console.raxx.app/*": cred.Rejected,
		"con*.raxx.app/he": cred.Rejected, "Console.raxx.app": cred.Rejected,
		"vault.raxx.app": cred.Unclear, "console.raxx.app/admin": cred.Unclear, "raxx.app": cred.Unclear, "": cred.Unclear, "*.console.raxx.app": cred.Unclear,
	} {
		n, i := opened(t, cloudflare.KindServiceToken, func(s *sim.State) {
			s.Cloudflare.Apps[0].DenyNonIdentity, s.Cloudflare.Apps[0].Domain = page, domain
		})
		n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.URL.Host != "console.raxx.app" {
				return send()
			}
			resp := says(r, http.StatusFound, "text/html", "")
			resp.Header.Set("Location", page)
			return resp, nil
		}
		if got, detail, err := i.Probe(t.Context(), console, i.Wrong()); got != want || err != nil {
			t.Errorf("%q: %s (%s), %v", domain, got, detail, err)
		}
	}
}

// TestAnEditThatIsOverwrittenIsSeen: another writer read before our write and wrote
// after it.
func TestAnEditThatIsOverwrittenIsSeen(t *testing.T) {
	n, i := opened(t, cloudflare.KindServiceToken, nil)
	a := i.(provider.Admitter)
	seen, err := a.Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := i.Create(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	place := seen.Places[0]
	overwrite := true
	n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.Method != http.MethodPut || !overwrite {
			return send()
		}
		overwrite = false
		var before []byte
		n.Look(func(s *sim.State) { before = append(before, s.Cloudflare.Policies[0]["include"]...) })
		resp, err := send()
		n.Look(func(s *sim.State) { s.Cloudflare.Policies[0]["include"] = before })
		return resp, err
	}
	if _, err := a.Admit(t.Context(), place, made.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := a.Look(t.Context(), place); err != nil || now.NamesAny(made) {
		t.Fatalf("the admission was overwritten, and a look says %+v, %v", now, err)
	}
	e, err := a.Admit(t.Context(), place, made.ID)
	if err != nil || e.Already || !e.Place.NamesAny(made) {
		t.Errorf("the second time: %+v, %v", e, err)
	}
}

// TestTimesAreSentByTheVendorsClock: an end that is meant for now is now there, too.
func TestTimesAreSentByTheVendorsClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		n, i := opened(t, cloudflare.KindServiceToken, nil)
		n.ahead = ahead
		h := find(t, i, "raxx-console-svc")
		keep := epoch.Add(time.Hour)
		rolled, _, err := i.Roll(t.Context(), h, keep)
		if err != nil {
			t.Fatal(err)
		}
		n.Look(func(s *sim.State) {
			if there := s.Cloudflare.Tokens[0].PrevUntil.Sub(keep); (there - ahead).Abs() > time.Second {
				t.Errorf("%s ahead: the old secret ends %s off", ahead, there-ahead)
			}
		})
		if (rolled.Previous.Sub(keep)).Abs() > time.Second {
			t.Errorf("%s ahead: by our clock it ends %s off", ahead, rolled.Previous.Sub(keep))
		}
		if got, told := i.Ahead(); !told || (got-ahead).Abs() > time.Second {
			t.Errorf("%s ahead: told as %s", ahead, got)
		}
	}
}

// TestAnExpiredAPITokenSaysSo and can be read, so that its like can be made.
func TestAnExpiredAPITokenSaysSo(t *testing.T) {
	n, i := opened(t, cloudflare.KindUserToken, nil)
	h := find(t, i, "raxx-dns")
	var value string
	n.Look(func(s *sim.State) {
		for _, x := range s.Cloudflare.APITokens {
			if x.ID == h.ID {
				x.ExpiresOn, value = epoch.Add(-time.Hour), x.Value
			}
		}
	})
	id, err := i.Owner(t.Context(), bundle(value), nil)
	if id != h.ID || err != nil {
		t.Fatalf("it belongs to %q, %v", id, err)
	}
	got, err := i.Find(t.Context(), cred.Handle{ID: id})
	if err != nil || got.Disabled || !got.Expires.Equal(epoch.Add(-time.Hour)) {
		t.Errorf("%+v, %v", got, err)
	}
	if verdict, detail, err := i.Probe(t.Context(), issuerItself, bundle(value)); verdict != cred.Rejected || !strings.Contains(detail, "expired") || err != nil {
		t.Errorf("%s (%s), %v", verdict, detail, err)
	}
	if _, _, err := i.(provider.Copier).CreateLike(t.Context(), "its like", got); err != nil {
		t.Errorf("its like: %v", err)
	}
}
