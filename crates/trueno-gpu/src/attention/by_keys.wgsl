START
    var by_key = Tile();
    var by_value = Tile();
    for (var query = FIRST_OTHER; query < QUERIES; query += TILE) {
        let w = weighed(masked(product_scores(own, query, thread), own, query), own, query);
        put(w);
        by_value = gather_g(by_value, query, column, thread);
        put(sloped(w, product_slopes(own, query, thread), own, query));
        by_key = gather_q(by_key, query, column, thread);
    }
    each emit_gk(own + own_row(#u), column + tx * 4u, by_key.c#);
    each emit_gv(own + own_row(#u), column + tx * 4u, by_value.c#);
}
