package traces

import (
	"encoding/binary"
	"errors"
)

// The numbers are those of opentelemetry/proto/trace/v1/trace.proto,
// opentelemetry/proto/common/v1/common.proto and the collector's trace_service.proto.

// message is a message of Protocol Buffers that is being written.
type message []byte

const (
	wireVarint, wireFixed64, wireBytes = 0, 1, 2
)

func (m *message) tag(field, wire int) { *m = binary.AppendUvarint(*m, uint64(field)<<3|uint64(wire)) }

func (m *message) varint(field int, v uint64) {
	if v != 0 {
		m.tag(field, wireVarint)
		*m = binary.AppendUvarint(*m, v)
	}
}

func (m *message) fixed64(field int, v uint64) {
	m.tag(field, wireFixed64)
	*m = binary.LittleEndian.AppendUint64(*m, v)
}

// bytes writes bytes, a text or a message; of a member of a oneof an empty one too.
func (m *message) bytes(field int, v []byte) {
	m.tag(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(v)))
	*m = append(*m, v...)
}

func (m *message) attributes(field int, all []Attribute) {
	for _, a := range all {
		var value, pair message
		switch v := a.Value.(type) {
		case string:
			value.bytes(1, []byte(v))
		case bool:
			value.tag(2, wireVarint)
			if v {
				value = append(value, 1)
			} else {
				value = append(value, 0)
			}
		case int64:
			value.tag(3, wireVarint)
			value = binary.AppendUvarint(value, uint64(v))
		}
		pair.bytes(1, []byte(a.Key))
		pair.bytes(2, value)
		m.bytes(field, pair)
	}
}

// protobuf writes an ExportTraceServiceRequest.
func protobuf(o Origin, spans []Span) []byte {
	var request, of, resource, scoped, scope message
	resource.attributes(1, o.resource())
	of.bytes(1, resource)
	scope.bytes(1, []byte(scopeName))
	scope.bytes(2, []byte(o.Version))
	scoped.bytes(1, scope)
	for _, s := range spans {
		var span, status message
		span.bytes(1, s.Trace[:])
		span.bytes(2, s.ID[:])
		if s.Parent != [8]byte{} {
			span.bytes(4, s.Parent[:])
		}
		span.bytes(5, []byte(s.Name))
		span.varint(6, uint64(s.kind()))
		span.fixed64(7, uint64(s.Start.UnixNano()))
		span.fixed64(8, uint64(s.End.UnixNano()))
		span.attributes(9, s.Attributes)
		if s.Why != "" {
			status.bytes(2, []byte(s.Why))
		}
		status.varint(3, uint64(s.Status))
		span.bytes(15, status)
		scoped.bytes(2, span)
	}
	of.bytes(2, scoped)
	request.bytes(1, of)
	return request
}

var errAnswer = errors.New("the answer is not a collector's")

// rejected reads how many spans an ExportTraceServiceResponse says were not taken.
func rejected(b []byte) (n int64, err error) {
	err = fields(b, func(field int, _ uint64, inner []byte) error {
		if field != 1 {
			return nil
		}
		return fields(inner, func(field int, v uint64, _ []byte) error {
			if field == 1 {
				n = int64(v)
			}
			return nil
		})
	})
	return n, err
}

// fields calls f for each field of a message of which only varints and bytes matter.
func fields(b []byte, f func(field int, v uint64, inner []byte) error) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return errAnswer
		}
		b = b[n:]
		var v uint64
		var inner []byte
		switch tag & 7 {
		case wireVarint:
			if v, n = binary.Uvarint(b); n <= 0 {
				return errAnswer
			}
		case wireFixed64:
			n = 8
		case wireBytes:
			size, m := binary.Uvarint(b)
			if m <= 0 || size > uint64(len(b)-m) {
				return errAnswer
			}
			inner, n = b[m:m+int(size)], m+int(size)
		case 5:
			n = 4
		default:
			return errAnswer
		}
		if n > len(b) {
			return errAnswer
		}
		if err := f(int(tag>>3), v, inner); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
