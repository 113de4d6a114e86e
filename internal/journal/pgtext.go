package journal

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Types of PostgreSQL [pg_type.dat]: those whose values are no texts here.
const (
	boolOID        = 16
	bytesOID       = 17
	int8OID        = 20
	int2OID        = 21
	int4OID        = 23
	float4OID      = 700
	float8OID      = 701
	timestampOID   = 1114
	timestamptzOID = 1184
)

// texts are values as PostgreSQL reads them; kinds are the types that they are to have,
// which only bytes need.
func texts(args []driver.NamedValue, kinds []uint32) ([][]byte, error) {
	out := make([][]byte, len(args))
	for i, a := range args {
		switch v := a.Value.(type) {
		case nil:
		case string:
			out[i] = []byte(v)
		case int64:
			out[i] = strconv.AppendInt(nil, v, 10)
		case float64:
			out[i] = strconv.AppendFloat(nil, v, 'g', -1, 64)
		case bool:
			out[i] = strconv.AppendBool(nil, v)
		case time.Time:
			out[i] = v.UTC().AppendFormat(nil, time.RFC3339Nano)
		case []byte:
			switch {
			case v == nil:
			case i < len(kinds) && kinds[i] == bytesOID:
				out[i] = hex.AppendEncode([]byte(`\x`), v)
			default:
				out[i] = v
			}
		default:
			return nil, fmt.Errorf("a value of type %T is not sent", v)
		}
	}
	return out, nil
}

// value is what the text of a type stands for. It does not share the text's memory.
func value(kind uint32, text []byte) (driver.Value, error) {
	if text == nil {
		return nil, nil
	}
	s := string(text)
	switch kind {
	case boolOID:
		return s == "t", nil
	case int2OID, int4OID, int8OID:
		return strconv.ParseInt(s, 10, 64)
	case float4OID, float8OID:
		return strconv.ParseFloat(s, 64)
	case bytesOID:
		if len(s) < 2 {
			return nil, fmt.Errorf("bytes are not sent in hexadecimal digits")
		}
		return hex.DecodeString(s[2:])
	case timestamptzOID, timestampOID:
		layout := "2006-01-02 15:04:05.999999999"
		if kind == timestamptzOID {
			layout += "-07"
		}
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), nil
		}
	}
	return s, nil // "infinity" is a time without being one of Go's
}
