package providertest

// mode is how a use goes wrong.
type mode int

// The modes. well is none; slowly is not wrong either.
const (
	well mode = iota
	refused
	cutBefore
	cutAfter
	garbled
	endless
	failing
	silent
	slowly
)

// fault is one way to go wrong below the protocol.
type fault struct {
	name  string
	mode  mode
	kinds []kind // uses that it can be met at
}

// faults are all but silence and slowness, which have cases of their own.
var faults = []fault{
	{"refused", refused, []kind{request, dial, program, read, write}},
	{"cut before it was done", cutBefore, []kind{request, send, program, write}},
	{"cut after it was done", cutAfter, []kind{request, send, program, write}},
	{"garbage", garbled, []kind{request, send, program}},
	{"without an end", endless, []kind{send, program, read}},
	{"a bad exit status", failing, []kind{program}},
}

// spread returns at most n of so many positions: the first ones and the last ones.
func spread(of, n int) []int {
	var out []int
	for i := range of {
		if i < n/2 || i >= of-(n-n/2) {
			out = append(out, i)
		}
	}
	return out
}
