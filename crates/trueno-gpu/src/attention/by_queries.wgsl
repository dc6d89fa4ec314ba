START
    var acc = Tile();
    for (var key = 0u; key < LAST_OTHER; key += TILE) {
        let w = weighed(masked(product_scores(own, key, thread), own, key), own, key);
        put(sloped(w, product_slopes(own, key, thread), own, key));
        acc = gather_k(acc, key, column, thread);
    }
    each emit_gq(own + own_row(#u), column + tx * 4u, acc.c# * SCALE);
}
