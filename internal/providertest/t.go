package providertest

import "context"

// Test is what the suite needs of a test. *testing.T is one, and so is *Report: the
// program runs the suite without package testing in it.
type Test[X any] interface {
	Run(name string, f func(X)) bool
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Helper()
	Cleanup(f func())
	Context() context.Context
	Failed() bool
	TempDir() string
}

// T is a Test whatever runs it.
type T interface {
	Run(name string, f func(T)) bool
	Errorf(format string, args ...any)
	// Fatalf ends the test at hand; it does not return.
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	// Skipf ends the test at hand, loudly.
	Skipf(format string, args ...any)
	Helper()
	// Cleanup calls f when the test at hand has ended.
	Cleanup(f func())
	// Context is cancelled just before the functions given to Cleanup are called.
	Context() context.Context
	Failed() bool
	// TempDir is a folder that is gone after the test.
	TempDir() string
}

// as makes a T of any Test.
type as[X Test[X]] struct{ x X }

func (a as[X]) Run(name string, f func(T)) bool {
	return a.x.Run(name, func(x X) { f(as[X]{x}) })
}
func (a as[X]) Errorf(format string, args ...any) { a.x.Helper(); a.x.Errorf(format, args...) }
func (a as[X]) Fatalf(format string, args ...any) { a.x.Helper(); a.x.Fatalf(format, args...) }
func (a as[X]) Logf(format string, args ...any)   { a.x.Helper(); a.x.Logf(format, args...) }
func (a as[X]) Skipf(format string, args ...any)  { a.x.Helper(); a.x.Skipf(format, args...) }
func (a as[X]) Helper()                           { a.x.Helper() }
func (a as[X]) Cleanup(f func())                  { a.x.Cleanup(f) }
func (a as[X]) Context() context.Context          { return a.x.Context() }
func (a as[X]) Failed() bool                      { return a.x.Failed() }
func (a as[X]) TempDir() string                   { return a.x.TempDir() }
