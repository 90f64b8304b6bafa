package table

import (
	"context"
	"slices"
)

// groupZones is how many zones are in memory for one step of a search, beyond
// what the cache holds.
const groupZones = 16

// fewZones is how many zones are read at once to find one key. Where more may
// hold it, the one in the middle is read first.
const fewZones = 3

// zoneSpan says that the key with number key may be in zones from to to.
type zoneSpan struct{ key, from, to int }

// find searches the file for the keys of the list that which names, in rising
// order of key, and calls found with the number of each that is there and its row.
func (f *keyFile) find(ctx context.Context, keys *keyList, which []int32, found func(key int32, row int64)) error {
	which, err := f.admitted(ctx, keys, which)
	if err != nil || len(which) == 0 {
		return err
	}
	h, err := f.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.release()
	for at := 0; at < len(which); {
		spans, zones := make([]zoneSpan, 0, len(which)-at), []int(nil)
		for ; at < len(which) && len(zones) < groupZones; at++ {
			s := zoneSpan{key: int(which[at])}
			s.from, s.to = h.zones.of(f.space, keys, s.key)
			may, err := h.admits(ctx, keys, &s)
			if err != nil {
				return err
			}
			if !may {
				continue
			}
			if err := f.narrow(ctx, h, keys, &s); err != nil {
				return err
			}
			for z := s.from; z <= s.to; z++ {
				if n := len(zones); n == 0 || zones[n-1] < z {
					zones = append(zones, z)
				}
			}
			if s.from <= s.to {
				spans = append(spans, s)
			}
		}
		if err := f.search(ctx, h, keys, spans, zones, found); err != nil {
			return err
		}
	}
	return nil
}

// narrow reads zones in the middle of a long span until it is short.
func (f *keyFile) narrow(ctx context.Context, h *fileHandle, keys *keyList, s *zoneSpan) error {
	for s.to-s.from >= fewZones {
		mid := (s.from + s.to) / 2
		zones, err := f.loadZones(ctx, h, []int{mid})
		if err != nil {
			return err
		}
		z := zones[0]
		switch {
		case f.space.layout.Compare(&z.Keys, 0, &keys.Keys, s.key) > 0:
			s.to = mid - 1
		case f.space.layout.Compare(&z.Keys, z.Len()-1, &keys.Keys, s.key) < 0:
			s.from = mid + 1
		default:
			s.from, s.to = mid, mid
		}
	}
	return nil
}

// search looks into the zones of spans, which are loaded together.
func (f *keyFile) search(ctx context.Context, h *fileHandle, keys *keyList, spans []zoneSpan, zones []int, found func(int32, int64)) error {
	loaded, err := f.loadZones(ctx, h, zones)
	if err != nil {
		return err
	}
	first, row := 0, 0 // where the last key was looked for: the next is not before
	for _, s := range spans {
		for first < len(zones) && zones[first] < s.from {
			first, row = first+1, 0
		}
		for i := first; i < len(zones) && zones[i] <= s.to; i++ {
			z, from := loaded[i], 0
			if i == first {
				from = row
			}
			at := f.space.searchFrom(z, from, keys, s.key)
			if i == first {
				row = at
			}
			if at < z.Len() && f.space.layout.Compare(&z.Keys, at, &keys.Keys, s.key) == 0 {
				found(int32(s.key), z.from+int64(at))
				break
			}
		}
	}
	return nil
}

// searchFrom finds the first key of z, from a place on, that is not less than
// a key: in ever larger steps, so that near ones are found fast.
func (s *keySpace) searchFrom(z *zoneKeys, from int, keys *keyList, key int) int {
	step := 8
	for from+step < z.Len() && s.layout.Compare(&z.Keys, from+step, &keys.Keys, key) < 0 {
		from += step
		step *= 2
	}
	return s.layout.Search(&z.Keys, from, min(from+step+1, z.Len()), &keys.Keys, key)
}

// sortKeys are the numbers of keys in rising order of key, equal ones once;
// first tells for each key which number stands for it. They may take the memory of use.
func (s *keySpace) sortKeys(keys *keyList, use []int32) (order, first []int32) {
	all := emptied(use, keys.Len())
	rising := true
	for i := range all {
		all[i] = int32(i)
		rising = rising && (i == 0 || s.layout.Compare(&keys.Keys, i-1, &keys.Keys, i) < 0)
	}
	if rising {
		return all, all
	}
	first = slices.Clone(all)
	slices.SortFunc(all, func(a, b int32) int { return s.layout.Compare(&keys.Keys, int(a), &keys.Keys, int(b)) })
	order = all[:0]
	for _, k := range all {
		if n := len(order); n > 0 && s.layout.Compare(&keys.Keys, int(order[n-1]), &keys.Keys, int(k)) == 0 {
			first[k] = order[n-1]
			continue
		}
		order = append(order, k)
	}
	return order, first
}
