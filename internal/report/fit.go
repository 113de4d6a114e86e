package report

// fit lines rows up as a table where that fits, and else says what the first
// column says as a heading over the rest, as often as need be. A first column that
// is empty goes on with the one before.
func fit(rows [][]string, s Style, by string) []string {
	lines := indent(table(grouped(copied(rows)), 2), by)
	if s.Width <= 0 || widest(lines) <= s.Width || len(rows) == 0 || len(rows[0]) < 2 {
		return lines
	}
	var out []string
	for i := 0; i < len(rows); {
		head, block := rows[i][0], [][]string{}
		for ; i < len(rows) && (rows[i][0] == head || rows[i][0] == ""); i++ {
			block = append(block, rows[i][1:])
		}
		out = append(out, by+head)
		out = append(out, fit(block, s, by+"  ")...)
	}
	return out
}

func copied(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		out[i] = append([]string{}, r...)
	}
	return out
}
