package providertest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// toy is a driver that speaks no HTTP: its issuer is reached by a connection, its store
// is a file, its consumer a program. wrong breaks it in one way.
type toy struct {
	env   provider.Env
	name  string
	token sop.Refs
	wrong string
}

func toyDescriptor(wrong string) provider.Descriptor {
	d := provider.Descriptor{
		Name: "toy", Title: "Toy", Connection: &struct{}{}, Store: &struct{}{}, StoreID: "path", Consumer: &struct{}{}, ConsumerID: []string{"app"},
		Issuers: []provider.Sheet{{Kind: "key", Settings: &struct{}{}, Fields: []string{"user", "password"}, Public: []string{"user"}, Create: true, Label: true, NameMax: 40, NameChars: "a-z0-9_"}},
		Open: func(e provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
			var s struct{ Token sop.Refs }
			if err := json.Unmarshal(settings, &s); err != nil || len(s.Token) == 0 {
				return nil, fmt.Errorf("vendor %s: settings: want a token", name)
			}
			return toy{e, name, s.Token, wrong}, nil
		},
	}
	if wrong == "claims too much" {
		d.Issuers[0].Disable = true
	}
	return d
}

func (t toy) Close(context.Context) {}
func (t toy) Issuer(string, json.RawMessage) (provider.Issuer, error) {
	return toyIssuer{t}, nil
}
func (t toy) Store(json.RawMessage) (provider.Store, error)       { return toyStore{t}, nil }
func (t toy) Consumer(json.RawMessage) (provider.Consumer, error) { return toyConsumer{t}, nil }

// say sends lines and returns the answers: "ok ..." or "no ...".
func (t toy) say(ctx context.Context, change bool, op string, lines ...string) (out []string, err error) {
	call := t.env.Look
	if change {
		call = t.env.Change
	}
	token, _, err := t.env.Resolve(ctx, t.token)
	if err != nil {
		return nil, &cred.Error{Vendor: t.name, Op: op, Class: cred.Unsent, Why: err.Error()}
	}
	ask := func(ctx context.Context) error {
		c, err := t.env.Ways().Dial(ctx, "tcp", "toy:1")
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		for _, l := range append([]string{"auth " + token.Reveal()}, lines...) {
			if _, err := fmt.Fprintln(c, l); err != nil {
				return err
			}
			answer, err := in.ReadSlice('\n') // at most the buffer
			word, rest, _ := strings.Cut(strings.TrimSuffix(string(answer), "\n"), " ")
			switch {
			case t.wrong == "believes a cut" && err != nil:
				return nil
			case t.wrong == "quotes" && err != nil:
				return &cred.Error{Class: cred.Unknown, Why: string(answer) + err.Error()}
			case t.wrong == "denies too much" && err != nil:
				return &cred.Error{Class: cred.Refused, Why: "no"}
			case err != nil:
				return err
			case word == "no":
				return &cred.Error{Class: cred.Class(rest)}
			case word != "ok":
				return errors.New("no answer of this protocol")
			}
			out = append(out, rest)
		}
		return nil
	}
	if t.wrong == "tells nothing" {
		err := ask(ctx)
		if _, ok := errors.AsType[*cred.Error](err); err == nil || ok {
			return out, err
		}
		return out, &cred.Error{Vendor: t.name, Class: cred.Unknown}
	}
	err = call(ctx, t.name, op, ask)
	if t.wrong == "retries" && cred.ClassOf(err) == cred.Unknown {
		out = nil
		err = call(ctx, t.name, op, ask)
	}
	return out, err
}

type toyIssuer struct{ toy }

func (i toyIssuer) List(ctx context.Context) ([]cred.Handle, error) {
	out, err := i.say(ctx, false, "list", "list")
	if err != nil || len(out) < 2 {
		return nil, err
	}
	var list []cred.Handle
	for n := range strings.FieldsSeq(out[1]) {
		list = append(list, cred.Handle{ID: n, Name: n})
	}
	return list, nil
}

func (i toyIssuer) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if b["user"].Equal(secret.New(h.ID)) {
			return h.ID, nil
		}
	}
	return "", nil
}

func (i toyIssuer) Make(name string) (secret.Bundle, error) {
	v, err := secret.Generate(i.env.Random, 32, secret.Alphanumeric)
	return secret.Bundle{"user": secret.New(name), "password": v}, err
}

func (i toyIssuer) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	b, err := i.Make(name)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	h, err := i.CreateWith(ctx, name, b)
	return h, b, err
}

func (i toyIssuer) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	if len(name) > 40 && i.wrong == "cuts names" {
		name = name[:40]
	}
	_, err := i.say(ctx, i.wrong != "looks and changes", "create", "make "+name+" "+b["password"].Reveal())
	return cred.Handle{ID: name, Name: name}, err
}

func (i toyIssuer) Revoke(ctx context.Context, h cred.Handle) error {
	_, err := i.say(ctx, true, "drop", "drop "+h.ID)
	return err
}

func (i toyIssuer) Works(ctx context.Context, h cred.Handle, b secret.Bundle) (bool, error) {
	out, err := i.say(ctx, false, "log in", "login "+h.ID+" "+b["password"].Reveal())
	return len(out) == 2 && out[1] == "in", err
}

type toyStore struct{ toy }

const toyPath = "/toy/env"

func (s toyStore) all(ctx context.Context) (out map[string]string, f outside.File, err error) {
	err = s.env.Look(ctx, s.name, "read the file", func(context.Context) error {
		if f, err = s.env.Ways().Files().Read(toyPath, 1<<20); err != nil {
			return err
		}
		return json.Unmarshal([]byte(f.Content.Reveal()), &out)
	})
	return out, f, err
}

func (s toyStore) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	all, _, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]provider.Held{}
	for _, n := range slots {
		out[n] = provider.Held{Present: all[n] != "", Value: secret.New(all[n])}
	}
	return out, nil
}

func (s toyStore) ReadVersion(context.Context, string, string) (secret.Value, error) {
	return secret.Value{}, &cred.Error{Vendor: s.name, Op: "read a version", Class: cred.Refused, Why: "a file has none"}
}

func (s toyStore) History(ctx context.Context, _ map[string]provider.Held) error {
	_, err := s.ReadVersion(ctx, "", "")
	return err
}

func (s toyStore) put(ctx context.Context, values []provider.SlotValue) error {
	all, f, err := s.all(ctx)
	if err != nil {
		return err
	}
	for i, v := range values {
		if all[v.Slot] = v.Value.Reveal(); !v.Value.Present() {
			delete(all, v.Slot)
		}
		if s.wrong != "piecewise" && i < len(values)-1 {
			continue
		}
		b, _ := json.Marshal(all)
		f.Content = secret.New(string(b))
		if err := s.env.Change(ctx, s.name, "write the file", func(context.Context) error {
			return s.env.Ways().Files().Replace(toyPath, f)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s toyStore) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	if err := s.put(ctx, values); err != nil {
		return nil, err
	}
	var slots []string
	for _, v := range values {
		slots = append(slots, v.Slot)
	}
	return s.Read(ctx, slots)
}

func (s toyStore) Remove(ctx context.Context, slots []string) error {
	var values []provider.SlotValue
	for _, n := range slots {
		values = append(values, provider.SlotValue{Slot: n})
	}
	return s.put(ctx, values)
}

type toyConsumer struct{ toy }

func (c toyConsumer) run(ctx context.Context, changes bool, in string) (out map[string]string, err error) {
	call := c.env.Look
	if changes {
		call = c.env.Change
	}
	err = call(ctx, c.name, "run toyctl", func(ctx context.Context) error {
		e, err := c.env.Ways().Exec(ctx, outside.Command{Path: "toyctl", Stdin: secret.New(in)})
		if err != nil {
			return err
		}
		if e.Exit != 0 && c.wrong != "takes any exit" {
			return errors.New("it did not end well")
		}
		err = json.Unmarshal([]byte(e.Stdout.Reveal()), &out)
		if c.wrong == "takes any exit" {
			return nil
		}
		return err
	})
	return out, err
}

func (c toyConsumer) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	all, err := c.run(ctx, false, "{}")
	s := provider.Snapshot{Slots: map[string]provider.Held{}}
	for _, n := range slots {
		s.Slots[n] = provider.Held{Present: all[n] != "", Value: secret.New(all[n])}
	}
	return s, err
}

func (c toyConsumer) Write(ctx context.Context, values []provider.SlotValue) error {
	set := map[string]string{}
	for _, v := range values {
		set[v.Slot] = v.Value.Reveal()
	}
	b, _ := json.Marshal(set)
	_, err := c.run(ctx, true, string(b))
	return err
}

func (c toyConsumer) Progress(ctx context.Context, _ provider.Followed, slots []string) (provider.Progress, error) {
	s, err := c.Snapshot(ctx, slots)
	return provider.Progress{Class: cred.Done, Slots: s.Slots}, err
}

// toyWorld is the double: a server, a file and a program, in memory.
type toyWorld struct {
	mu    sync.Mutex
	token string
	keys  map[string]string
	file  outside.File
	held  map[string]string
}

func (w *toyWorld) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	go w.serve(far)
	return near, nil
}

func (w *toyWorld) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in, authorized := bufio.NewScanner(c), false
	for in.Scan() {
		answer := w.answer(strings.Fields(in.Text()), &authorized)
		if _, err := fmt.Fprintln(c, answer); err != nil {
			return
		}
	}
}

func (w *toyWorld) answer(f []string, authorized *bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(f) == 2 && f[0] == "auth":
		*authorized = f[1] == w.token
		return "ok"
	case !*authorized:
		return "no denied"
	case f[0] == "list":
		var names []string
		for n := range w.keys {
			names = append(names, n)
		}
		slices.Sort(names)
		return "ok " + strings.Join(names, " ")
	case f[0] == "make" && len(f[1]) > 40:
		return "no refused"
	case f[0] == "make":
		w.keys[f[1]] = f[2]
	case f[0] == "login":
		if v, ok := w.keys[f[1]]; ok && v == f[2] {
			return "ok in"
		}
	case f[0] == "drop":
		if _, ok := w.keys[f[1]]; !ok {
			return "no absent"
		}
		delete(w.keys, f[1])
	}
	return "ok"
}

func (w *toyWorld) Exec(_ context.Context, c outside.Command) (outside.Ended, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var set map[string]string
	if err := json.Unmarshal([]byte(c.Stdin.Reveal()), &set); err != nil {
		return outside.Ended{Exit: 1}, nil
	}
	for k, v := range set {
		if w.held[k] = v; v == "" {
			delete(w.held, k)
		}
	}
	b, _ := json.Marshal(w.held)
	return outside.Ended{Stdout: secret.New(string(b))}, nil
}

func (w *toyWorld) Files() outside.Files { return toyFiles{w} }

type toyFiles struct{ w *toyWorld }

func (f toyFiles) Read(path string, _ int64) (outside.File, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if path != toyPath {
		return outside.File{}, fs.ErrNotExist
	}
	return f.w.file, nil
}

func (f toyFiles) Replace(_ string, file outside.File) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.w.file = file
	return nil
}

func (f toyFiles) Remove(string) error                    { return errors.New("not of this world") }
func (f toyFiles) Owner(string, string) (int, int, error) { return -1, -1, nil }
