// SPDX-License-Identifier: Apache-2.0

package sm2table

// affine is a point other than that at infinity.
type affine struct{ x, y element }

// point is one with the coordinates x/zz and y/zzz, where zz^3 = zzz^2. At infinity zz is 0. The formulas are those named
// XYZZ in the Explicit-Formulas Database, for a = -3: dbl-2008-s-1, madd-2008-s.
type point struct{ x, y, zz, zzz element }

func (p affine) point() point { return point{p.x, p.y, one, one} }

// double sets p to 2p. The curve has no point of order 2, so y is never 0.
func (p *point) double() {
	u := add(p.y, p.y)
	v := sqr(u)
	w := mul(u, v)
	s := mul(p.x, v)
	m := mul(sub(p.x, p.zz), add(p.x, p.zz)) // x^2 + a zz^2 = (x - zz)(x + zz) for a = -1, and three times that for a = -3
	m = add(add(m, m), m)
	p.x = sub(sqr(m), add(s, s))
	p.y = sub(mul(m, sub(s, p.x)), mul(w, p.y))
	p.zz = mul(v, p.zz)
	p.zzz = mul(w, p.zzz)
}

// add sets p to p + q, whatever the two are.
func (p *point) add(q *affine) {
	if p.zz.isZero() {
		*p = q.point()
		return
	}
	h := sub(mul(q.x, p.zz), p.x)
	r := sub(mul(q.y, p.zzz), p.y)
	if h.isZero() { // q is p or -p
		if r.isZero() {
			p.double()
		} else {
			*p = point{}
		}
		return
	}
	hh := sqr(h)
	hhh := mul(h, hh)
	v := mul(p.x, hh)
	p.x = sub(sub(sqr(r), hhh), add(v, v))
	p.y = sub(mul(r, sub(v, p.x)), mul(p.y, hhh))
	p.zz = mul(p.zz, hh)
	p.zzz = mul(p.zzz, hhh)
}

// hasX reports whether p, which is not at infinity, has the coordinate x.
func (p *point) hasX(x element) bool { return mul(x, p.zz) == p.x }

// toAffine converts points, none of which is at infinity, at the price of one inversion for all of them (Montgomery's trick).
func toAffine(points []point) []affine {
	// before[i] is the product of the zzz of all points before i.
	before := make([]element, len(points))
	product := one
	for i := range points {
		before[i] = product
		product = mul(product, points[i].zzz)
	}
	inverse := invert(product)
	out := make([]affine, len(points))
	for i := len(points) - 1; i >= 0; i-- {
		p := &points[i]
		cubed := mul(inverse, before[i]) // 1/zzz
		inverse = mul(inverse, p.zzz)
		z := mul(p.zz, cubed) // 1/z
		out[i] = affine{mul(p.x, sqr(z)), mul(p.y, cubed)}
	}
	return out
}
