// Package visible makes text of unknown origin safe to show: what would act on a terminal or hide in a page is spelled out.
package visible

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rune reports whether a character can be seen as what it is. Control characters
// act on terminals, line breaks forge lines, marks of direction show a text in
// another order, and what has no width hides in names. Letters of every script
// are themselves.
func Rune(r rune) bool {
	return r == ' ' || unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Text spells out everything in s that cannot be seen, line breaks included:
// \n, \x1b, \u202e, and \xff for a byte that is not UTF-8.
func Text(s string) string { return spell(s, "") }

// Lines is Text for what has lines of its own.
func Lines(s string) string { return spell(s, "\n\t") }

func spell(s, keep string) string {
	if clean(s, keep) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			_, _ = fmt.Fprintf(&b, `\x%02x`, s[i])
		case Rune(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[i : i+n])
		default:
			b.WriteString(Spelled(r))
		}
		i += n
	}
	return b.String()
}

// Spelled is how a character that cannot be seen is written.
func Spelled(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// clean reports whether s can be shown as it is, which is nearly always so.
func clean(s, keep string) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !Rune(r) && !strings.ContainsRune(keep, r) {
			return false
		}
		i += n
	}
	return true
}

// Copy returns v with Text applied to every exported string in it, however deep:
// what a printer is given, so that it cannot forget one. v itself stays as it is,
// and is returned as it is where there is nothing to spell out.
func Copy[T any](v T) T {
	value := reflect.ValueOf(&v).Elem()
	if !hides(value, 0) {
		return v
	}
	return copied(value, 0).Interface().(T)
}

// deepest bounds the walk; no data of Rekey is nested so far.
const deepest = 64

// hides reports whether any string in v has something to spell out.
func hides(v reflect.Value, depth int) bool {
	if depth > deepest {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return !clean(v.String(), "")
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && hides(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && (lined(f) && !clean(v.Field(i).String(), "\n\t") || !lined(f) && hides(v.Field(i), depth+1)) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return false // JSON escapes itself
		}
		for i := range v.Len() {
			if hides(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if hides(it.Key(), depth+1) || hides(it.Value(), depth+1) {
				return true
			}
		}
	}
	return false
}

// lined reports whether a field is a text with lines of its own: `visible:"lines"`.
func lined(f reflect.StructField) bool {
	return f.Type.Kind() == reflect.String && f.Tag.Get("visible") == "lines"
}

func copied(v reflect.Value, depth int) reflect.Value {
	if depth > deepest || !hides(v, depth) {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(Text(v.String()))
	case reflect.Pointer:
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(copied(v.Elem(), depth+1))
	case reflect.Interface:
		out.Set(copied(v.Elem(), depth+1))
	case reflect.Struct:
		out.Set(v) // with what is not exported
		for i := range v.NumField() {
			switch f := v.Type().Field(i); {
			case !f.IsExported():
			case lined(f):
				out.Field(i).SetString(Lines(v.Field(i).String()))
			default:
				out.Field(i).Set(copied(v.Field(i), depth+1))
			}
		}
	case reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i), depth+1))
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i), depth+1))
		}
	case reflect.Map:
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(copied(it.Key(), depth+1), copied(it.Value(), depth+1))
		}
	}
	return out
}
