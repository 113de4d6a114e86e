package vault_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

const (
	path  = "secret/data/team/console"
	about = "secret/metadata/team/console"
)

// TestAWriteLeavesTheKeysOfOthersAlone: one version for all slots, what others hold
// there as it was byte for byte, noted beside it without touching their notes, and
// back again.
func TestAWriteLeavesTheKeysOfOthersAlone(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "POST", path, `{"data":{"KEY":"old","port":5432,"nested":{"a":[1,2.50]},"big":12345678901234567890}}`)
		s.admin(t, "POST", about, `{"custom_metadata":{"team":"platform"}}`)
		before := s.keys(t)
		st := s.store(t, &world{}, "")
		held, err := st.Read(t.Context(), []string{"KEY", "NEW", "port"})
		if err != nil || held["KEY"].Value.Reveal() != "old" || held["KEY"].Version != "1" || held["NEW"].Present || held["port"].Problem == "" {
			t.Fatalf("%+v %v", held, err)
		}
		if err := st.History(t.Context(), map[string]provider.Held{"KEY": held["KEY"]}); err != nil {
			t.Error(err)
		}
		hostile := "a\"b'c\\d\n$e${f}<&>\u2028é\x00"
		got, err := st.Write(t.Context(), []provider.SlotValue{slot("KEY", hostile), slot("NEW", "fresh")})
		if err != nil || got["KEY"].Value.Reveal() != hostile || got["NEW"].Value.Reveal() != "fresh" || got["NEW"].Version != "2" {
			t.Fatalf("%v %v", got, err)
		}
		// What readers see of a number is what Vault makes of it: 12345678901234567000.
		for name, now := range s.keys(t) {
			if before[name] != nil && name != "KEY" && string(now) != string(before[name]) {
				t.Errorf("%s was %s and became %s", name, before[name], now)
			}
		}
		if len(s.keys(t)) != len(before)+1 {
			t.Errorf("keys are missing: %v", s.keys(t))
		}
		if c := s.notes(t); c["team"] != "platform" || c["rekey_run"] != "k7f3q2" || c["rekey_fingerprints"] != "KEY=01234567 NEW=01234567" {
			t.Errorf("noted: %v", c)
		}
		old, err := st.ReadVersion(t.Context(), "KEY", "1")
		if err != nil || old.Reveal() != "old" {
			t.Fatal(err)
		}
		for _, none := range [][2]string{{"NEW", "1"}, {"KEY", "99"}} {
			if _, err := st.ReadVersion(t.Context(), none[0], none[1]); cred.ClassOf(err) != cred.Absent {
				t.Errorf("%v: %v", none, err)
			}
		}
		if _, err := st.Write(t.Context(), []provider.SlotValue{slot("KEY", "old")}); err != nil {
			t.Error(err)
		}
		for range 2 { // the second finds nothing to remove, and writes nothing
			if err := st.Remove(t.Context(), []string{"NEW", "NEVER"}); err != nil {
				t.Error(err)
			}
		}
		held, err = st.Read(t.Context(), []string{"KEY", "NEW"})
		if err != nil || held["KEY"].Version != "4" || held["NEW"].Present {
			t.Errorf("%+v %v", held, err)
		}
	})
}

// TestAWriteOfSomebodyElseInBetweenIsAConflict: theirs stays, and the answer does not
// prove that nothing was applied.
func TestAWriteOfSomebodyElseInBetweenIsAConflict(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "POST", path, `{"data":{"KEY":"old"}}`)
		w := &world{transport: hook{before: func(r *http.Request) (*http.Response, error) {
			if r.Method == "POST" {
				s.admin(t, "POST", path, `{"data":{"KEY":"theirs"}}`)
			}
			return nil, nil
		}}}
		st := s.store(t, w, "")
		_, err := st.Write(t.Context(), []provider.SlotValue{slot("KEY", "ours")})
		if cred.ClassOf(err) != cred.Conflict || !cred.MayHaveHappened(err) {
			t.Errorf("%v, may have happened %v", err, cred.MayHaveHappened(err))
		}
		if held, err := st.Read(t.Context(), []string{"KEY"}); err != nil || held["KEY"].Value.Reveal() != "theirs" {
			t.Errorf("theirs is lost: %v", err)
		}
	})
}

// TestAWriteWhoseAnswerIsLostIsFoundByLooking, at each of its requests.
func TestAWriteWhoseAnswerIsLostIsFoundByLooking(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for lost, want := range map[string]struct {
			class   cred.Class
			maybe   bool
			written bool
		}{"GET": {cred.Unknown, true, false}, "POST": {cred.Unknown, true, true}, "PATCH": {cred.Done, false, true}, "GET after": {cred.Unknown, true, true}} {
			s.admin(t, "POST", path, `{"data":{"KEY":"old"}}`)
			posted := false
			w := &world{transport: hook{after: func(r *http.Request, resp *http.Response) (*http.Response, error) {
				is := r.Method
				if is == "GET" && posted {
					is = "GET after"
				}
				posted = posted || r.Method == "POST"
				if is == lost {
					_ = resp.Body.Close()
					return nil, io.ErrUnexpectedEOF
				}
				return resp, nil
			}}}
			_, err := s.store(t, w, "").Write(t.Context(), []provider.SlotValue{slot("KEY", "canary-new")})
			if cred.ClassOf(err) != want.class || cred.MayHaveHappened(err) != want.maybe {
				t.Errorf("%s lost: %v", lost, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%s lost: the error shows the value", lost)
			}
			held, err := s.store(t, &world{}, "").Read(t.Context(), []string{"KEY"})
			if err != nil || (held["KEY"].Value.Reveal() == "canary-new") != want.written {
				t.Errorf("%s lost: written %v, %v", lost, !want.written, err)
			}
		}
	})
}

// TestDeletedAndDestroyedVersionsAreTold, and a run can write after them.
func TestDeletedAndDestroyedVersionsAreTold(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for _, v := range []string{"one", "two"} {
			s.admin(t, "POST", path, `{"data":{"KEY":"`+v+`"}}`)
		}
		st := s.store(t, &world{}, "")
		advice := func(word string) {
			t.Helper()
			told, err := st.(provider.Adviser).Advise(t.Context(), cred.Handle{})
			if err != nil || !strings.Contains(strings.Join(told, "\n"), word) {
				t.Errorf("%v %v", told, err)
			}
		}
		s.admin(t, "DELETE", path, "")
		held, err := st.Read(t.Context(), []string{"KEY"})
		if err != nil || held["KEY"].Present {
			t.Fatalf("%+v %v", held, err)
		}
		advice("was deleted")
		if _, err := st.ReadVersion(t.Context(), "KEY", "2"); cred.ClassOf(err) != cred.Absent || !strings.Contains(err.Error(), "undelete") {
			t.Error(err)
		}
		s.admin(t, "POST", "secret/destroy/team/console", `{"versions":[2]}`)
		advice("was destroyed")
		if _, err := st.ReadVersion(t.Context(), "KEY", "2"); cred.ClassOf(err) != cred.Absent || !strings.Contains(err.Error(), "destroyed") {
			t.Error(err)
		}
		got, err := st.Write(t.Context(), []provider.SlotValue{slot("KEY", "three")})
		if err != nil || got["KEY"].Version != "3" {
			t.Errorf("%v %v", got, err)
		}
		s.admin(t, "POST", about, `{"delete_version_after":"2h"}`)
		if _, err := st.Write(t.Context(), []provider.SlotValue{slot("KEY", "four")}); err != nil {
			t.Fatal(err)
		}
		advice("deletes itself")
	})
}

// TestWhatWouldBeLostIsForeseen: a policy that does not let us write, an engine that
// would drop today's value, and rules that may not be read.
func TestWhatWouldBeLostIsForeseen(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "POST", path, `{"data":{"KEY":"old"}}`)
		foresee := func(token, refused, told string) {
			t.Helper()
			got, err := s.store(t, &world{}, token).(provider.Foresight).Foresee(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range []struct {
				got  []string
				want string
			}{{got.Refused, refused}, {got.Told, told}} {
				if all := strings.Join(x.got, "\n"); (x.want == "") != (all == "") || !strings.Contains(all, x.want) {
					t.Errorf("want %q, got %q", x.want, all)
				}
			}
		}
		foresee("", "", "")
		full := map[string]string{path: "read update", "secret/metadata/team/*": "read", "secret/config": "read"}
		foresee(s.limited(t, full), "", "")
		foresee(s.limited(t, map[string]string{path: "read", "secret/metadata/team/*": "read", "secret/config": "read"}), "capability update on "+path, "")
		foresee(s.limited(t, map[string]string{path: "read update"}), "", "not known")
		s.admin(t, "POST", about, `{"max_versions":3}`)
		foresee("", "", "only 3 versions")
		s.admin(t, "POST", about, `{"max_versions":1}`)
		foresee("", "max_versions 1", "")
		s.admin(t, "POST", "secret/config", `{"max_versions":20}`) // the greater counts
		foresee("", "", "")
	})
}

// TestWhatIsNoVersionedEngineIsNotWritten: of an engine without versions every path
// below data/ looks empty, and it would take a write there as it stands.
func TestWhatIsNoVersionedEngineIsNotWritten(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "POST", "sys/mounts/plain", `{"type":"kv","options":{"version":"1"}}`)
		w := &world{}
		v := s.open(t, w, "")
		_, err := storeOf(t, v, `{"mount":"plain","path":"x"}`).Write(t.Context(), []provider.SlotValue{slot("KEY", "new")})
		if cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "no KV version 2") {
			t.Error(err)
		}
		if _, err := storeOf(t, v, `{"mount":"nowhere","path":"x"}`).Read(t.Context(), []string{"KEY"}); cred.ClassOf(err) != cred.Absent {
			t.Error(err)
		}
		for _, c := range w.calls {
			if c.Changes {
				t.Errorf("it was asked to change something: %+v", c)
			}
		}
		for _, bad := range []string{`{"path":"a//b"}`, `{"path":"../sys"}`, `{"path":"a/./b"}`} {
			if _, err := v.(provider.Stores).Store(json.RawMessage(bad)); err == nil {
				t.Errorf("%s was taken", bad)
			}
		}
	})
}

// TestReferences: a key of a versioned secret, of one without versions, in a mount with
// slashes in its name; and nothing where there is nothing.
func TestReferences(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "POST", "sys/mounts/team/plain", `{"type":"kv","options":{"version":"1"}}`)
		s.admin(t, "POST", "team/plain/deep/er", `{"KEY":"of one without versions"}`)
		s.admin(t, "POST", "secret/data/a%20b/c", `{"data":{"we#ird":"x","KEY":"versioned","n":1}}`)
		v := s.open(t, &world{}, "").(provider.Refers)
		for rest, want := range map[string]string{"secret/a b/c#KEY": "versioned", "team/plain/deep/er#KEY": "of one without versions"} {
			if got, err := v.Refer(t.Context(), rest); err != nil || got.Reveal() != want {
				t.Errorf("%s: %v", rest, err)
			}
		}
		for rest, want := range map[string]cred.Class{
			"secret/a b/c#NONE": cred.Absent, "secret/none#KEY": cred.Absent, "secret/a b/c#n": cred.Refused, "secret/a b/c": cred.Refused,
			"secret#KEY": cred.Refused, "secret/../sys#KEY": cred.Refused, "nowhere/x#KEY": cred.Denied, "team/plain/none#KEY": cred.Absent,
		} {
			if _, err := v.Refer(t.Context(), rest); cred.ClassOf(err) != want {
				t.Errorf("%s: %v, want %s", rest, err, want)
			}
		}
	})
}

// TestNoAnswerIsTakenForAnother: what a proxy, a gateway or a sealed server says.
func TestNoAnswerIsTakenForAnother(t *testing.T) {
	for said, want := range map[string]cred.Class{
		`404 <html>not found</html>`:                                       cred.Unknown,
		`404 {"message":"no route"}`:                                       cred.Unknown,
		`404 {"errors":[{"message":"no such service"}]}`:                   cred.Unknown,
		`404 {"errors":["something new"]}`:                                 cred.Unknown,
		`403 {"errors":["1 error occurred:\n\t* permission denied\n\n"]}`:  cred.Denied,
		`403 <html>blocked</html>`:                                         cred.Unknown,
		`503 {"errors":["Vault is sealed"]}`:                               cred.Limited,
		`429 {"errors":["request path \"x\": rate limit quota exceeded"]}`: cred.Limited,
		`500 {"errors":["1 error occurred:\n\t* canary-in-an-error\n\n"]}`: cred.Unknown,
		`200 {}`:            cred.Unknown,
		`200 {"data":null}`: cred.Unknown,
		`200 {"data":{"data":{"KEY":"canary"},"metadata":{"version":0}}}`: cred.Unknown,
		`200 <html>sign in</html>`:                                        cred.Unknown,
		`200 `:                                                            cred.Unknown,
		`307 {"errors":[]}`:                                               cred.Unknown,
	} {
		status, body, _ := strings.Cut(said, " ")
		w := &world{transport: hook{before: func(*http.Request) (*http.Response, error) {
			code := map[string]int{"2": 200, "3": 307, "4": 404, "5": 500}[status[:1]]
			switch status {
			case "403":
				code = 403
			case "429":
				code = 429
			case "503":
				code = 503
			}
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}}}
		st := (&server{base: "http://vault.invalid", token: "t"}).store(t, w, "")
		_, err := st.Read(t.Context(), []string{"KEY"})
		if _, classified := cred.AsError(err); !classified || cred.ClassOf(err) != want || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %s", said, err, want)
		}
		_, err = st.Write(t.Context(), []provider.SlotValue{slot("KEY", "v")})
		if err == nil {
			t.Errorf("%s: written", said)
		}
	}
}

// TestWhatCannotBeWrittenIsRefusedBeforeAnything is asked.
func TestWhatCannotBeWrittenIsRefusedBeforeAnything(t *testing.T) {
	w := &world{transport: hook{before: func(*http.Request) (*http.Response, error) { t.Error("something was sent"); return nil, io.EOF }}}
	st := (&server{base: "http://vault.invalid", token: "t"}).store(t, w, "")
	for _, bad := range [][]provider.SlotValue{{slot("A", "1"), slot("A", "2")}, {slot("A", "\xff\xfe")}, {slot("", "1")}} {
		if _, err := st.Write(t.Context(), bad); cred.ClassOf(err) != cred.Refused {
			t.Error(err)
		}
	}
	if _, err := st.ReadVersion(t.Context(), "A", "zero"); cred.ClassOf(err) != cred.Refused {
		t.Error(err)
	}
}

// secretOf reads the secret as an administrator sees it.
func (s *server) secretOf(t *testing.T) (out struct {
	Data     map[string]json.RawMessage
	Metadata struct {
		Custom map[string]string `json:"custom_metadata"`
	}
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.admin(t, "GET", path, "")), &struct{ Data any }{&out}); err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *server) keys(t *testing.T) map[string]json.RawMessage { return s.secretOf(t).Data }
func (s *server) notes(t *testing.T) map[string]string         { return s.secretOf(t).Metadata.Custom }
