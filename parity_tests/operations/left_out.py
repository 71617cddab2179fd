"""torch's operations that are not replayed, and why."""

_REASONS = {
    "draws random numbers: other streams in the two libraries": """
        bernoulli cauchy exponential geometric log_normal multinomial normal
        normal_in_place normal_number_mean pca_lowrank rand_like randint randint_like randn randn_like svd_lowrank
        uniform         nn_functional_feature_alpha_dropout_with_train nn_functional_fractional_max_pool2d
        nn_functional_fractional_max_pool3d native_dropout_backward""",
    "makes a tensor out of none: there is nothing to compare but constants, and no gradient": """
        arange empty empty_like empty_permuted empty_strided eye full full_like linspace linspace_tensor_overload
        logspace logspace_tensor_overload new_empty new_empty_strided new_full new_ones new_zeros ones ones_like
        scalar_tensor zeros zeros_like zero_ fill signal_windows_bartlett signal_windows_blackman
        signal_windows_cosine signal_windows_exponential signal_windows_gaussian signal_windows_general_cosine
        signal_windows_general_hamming signal_windows_hamming signal_windows_hann signal_windows_kaiser
        signal_windows_nuttall""",
    "converts a type: `check` feeds float32 and float64 itself": """
        bfloat16 bool byte cdouble cfloat chalf char double float half int long short to log_softmax_with_dtype
        softmax_with_dtype nn_functional_softmin_with_dtype""",
    "gives a Python number or a truth about whole tensors, no tensor": "allclose equal item",
    "its shape depends on the numbers, which a compiled JAX program cannot have": """
        argwhere masked_select nonzero nonzero_static unique unique_consecutive masked_scatter""",
    "JAX has no such function": """
        geqrf grid_sampler_2d grid_sampler_3d histc histogram histogramdd linalg_householder_product linalg_ldl_factor
        linalg_ldl_factor_ex linalg_ldl_solve mode nanmedian nn_functional_ctc_loss nn_functional_grid_sample
        nn_functional_max_unpool1d nn_functional_max_unpool1d_grad nn_functional_max_unpool2d
        nn_functional_max_unpool2d_grad nn_functional_max_unpool3d nn_functional_max_unpool3d_grad
        nn_functional_multilabel_margin_loss ormqr special_airy_ai special_bessel_j0 special_bessel_j1
        special_bessel_y0 special_bessel_y1 special_chebyshev_polynomial_t special_chebyshev_polynomial_u
        special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_erfcx special_hermite_polynomial_h
        special_hermite_polynomial_he special_laguerre_polynomial_l special_legendre_polynomial_p
        special_modified_bessel_k0 special_modified_bessel_k1 special_scaled_modified_bessel_k0
        special_scaled_modified_bessel_k1 special_shifted_chebyshev_polynomial_t
        special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v
        special_shifted_chebyshev_polynomial_w fft_hfft2 fft_hfftn fft_ihfft2 fft_ihfftn nn_functional_embedding_bag
        nn_functional_pad_replicate_negative as_strided_partial_views _chunk_cat cumulative_trapezoid gradient stft""",
    "means something else in JAX": """
        float_power nextafter round_decimals_neg_3 nn_functional_interpolate_area nn_functional_interpolate_bicubic
        nn_functional_interpolate_nearest nn_functional_upsample_bilinear nn_functional_upsample_nearest
        _upsample_bilinear2d_aa""",
    "an entry point of torch's own for an operation that is replayed": """
        _batch_norm_with_update _native_batch_norm_legit _segment_reduce_lengths _segment_reduce_offsets
        _softmax_backward_data _unsafe_masked_index_put_accumulate as_strided_scatter bmm_triton_optimized hash_tensor
        jiterator_2inputs_2outputs jiterator_4inputs_with_extra_args jiterator_binary jiterator_binary_return_by_ref
        jiterator_unary linalg_cholesky_ex linalg_lstsq_grad_oriented linalg_lu_factor_ex
        linalg_norm_subgradients_at_zero linalg_pinv_singular lu lu_solve lu_unpack linalg_lu_solve
        masked_amax masked_amin masked_argmax masked_argmin
        masked_cumprod masked_cumsum masked_log_softmax masked_logaddexp masked_logsumexp masked_mean masked_median
        masked_norm masked_normalize masked_prod masked_softmax masked_softmin masked_std masked_sum masked_var
        max_pool2d_with_indices_backward native_batch_norm native_group_norm native_layer_norm
        nn_functional_linear_cross_entropy nn_functional_linear_cross_entropy_chunked
        nn_functional_linear_cross_entropy_chunked_none nn_functional_multi_head_attention_forward
        nn_functional_triplet_margin_with_distance_loss qr resize_ resize_as_""",
    "sparse tensors": "sparse_mm_reduce sparse_sampled_addmm to_sparse",
    "its gradient is free by a phase, or of a matrix without a symmetric counterpart": "linalg_eig linalg_eigvals",
    "a whole number, which rounding decides": "linalg_matrix_rank linalg_matrix_rank_hermitian",
}

LEFT_OUT: dict[str, str] = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""Why, by name."""
