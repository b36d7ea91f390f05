from libc.stdint cimport int64_t

cdef extern from "simd/kernels.h" nogil:
    const int CF_MAX_TILE_ROWS, CF_LINE_VECTORS

    ctypedef struct cf_ceiling:
        float f32
        double f64

    ctypedef struct cf_epilogue:
        Py_ssize_t residual
        int relu
        cf_ceiling ceiling

    const int CF_WINOGRADS

    ctypedef struct cf_winograd:
        int m, r
        void (*input)(char* v, Py_ssize_t v_step, const char* x, Py_ssize_t x_row_step,
                      Py_ssize_t x_step, Py_ssize_t vectors) noexcept nogil
        void (*output)(char* y, Py_ssize_t y_row_step, Py_ssize_t y_step, int rows, int columns,
                       const char* m, Py_ssize_t m_step, const char* bias, Py_ssize_t channels,
                       const cf_epilogue* after) noexcept nogil
        void (*filter)(char* u, Py_ssize_t u_step, const char* g) noexcept nogil
        void (*spread)(char* t, Py_ssize_t t_step, const char* g, Py_ssize_t g_row_step,
                       Py_ssize_t g_step, Py_ssize_t vectors) noexcept nogil
        void (*gather)(char* g, const char* u, Py_ssize_t u_step) noexcept nogil

    enum:
        CF_PLAIN, CF_RECTIFY, CF_GATE

    ctypedef struct cf_norm:
        void (*run_moments)(double* mean, double* m2, const char* x, Py_ssize_t row_step,
                            Py_ssize_t rows, Py_ssize_t count) noexcept nogil
        void (*column_moments)(double* mean, double* m2, const char* x, Py_ssize_t row_step,
                               Py_ssize_t rows, Py_ssize_t columns) noexcept nogil
        void (*run_products)(double* sum, double* products, const char* g, const char* x,
                             Py_ssize_t row_step, Py_ssize_t rows, Py_ssize_t count,
                             const char* m) noexcept nogil
        void (*column_products)(double* sum, double* products, const char* g, const char* x,
                                Py_ssize_t row_step, Py_ssize_t rows, Py_ssize_t columns,
                                const char* c, Py_ssize_t c_step, int gated,
                                double ceiling) noexcept nogil
        void (*run_map)(char* y, const char* g, const char* x, Py_ssize_t count, const char* c,
                        Py_ssize_t c_step) noexcept nogil
        void (*column_map)(char* y, const char* g, const char* x, Py_ssize_t rows,
                           Py_ssize_t columns, const char* c, Py_ssize_t c_step,
                           int relu, double ceiling) noexcept nogil

    ctypedef struct cf_lrn:
        void (*square)(char* y, const char* x, Py_ssize_t count) noexcept nogil
        void (*forward)(char* y, const char* x, const char* squares, Py_ssize_t taps,
                        Py_ssize_t tap_step, Py_ssize_t count, double alpha, double beta,
                        double k) noexcept nogil
        void (*slopes)(char* scales, char* slopes, const char* g, const char* x,
                       const char* squares, Py_ssize_t taps, Py_ssize_t tap_step,
                       Py_ssize_t count, double alpha, double beta, double k) noexcept nogil
        void (*backward)(char* gx, const char* g, const char* x, const char* scales,
                         const char* slopes, Py_ssize_t taps, Py_ssize_t tap_step,
                         Py_ssize_t count) noexcept nogil

    ctypedef void (*cf_map)(char* y, Py_ssize_t y_step, const char* a, Py_ssize_t a_step,
                            const char* b, Py_ssize_t b_step, Py_ssize_t rows,
                            Py_ssize_t columns, double p, double q) noexcept nogil
    const char* const cf_map_names[]

    ctypedef void (*cf_lines)(char* y, Py_ssize_t y_step, const char* a, Py_ssize_t a_step,
                              const char* b, Py_ssize_t b_step, Py_ssize_t rows,
                              Py_ssize_t columns) noexcept nogil

    ctypedef struct cf_line_operation:
        cf_lines along, across

    ctypedef struct cf_taps:
        Py_ssize_t rows, columns, row_step, column_step
        Py_ssize_t number, row_number, column_number

    ctypedef struct cf_sgd:
        double lr, momentum, dampening, weight_decay
        int nesterov, first

    ctypedef struct cf_adam:
        double rate, root, beta1, beta2, eps, weight_decay

    ctypedef struct cf_kernels:
        int itemsize, lanes, tile_rows, tile_vectors, dot_rows, dot_columns
        void (*conv_tile)(int rows, int vectors, int channels, char* y, Py_ssize_t y_step,
                          const char* x, Py_ssize_t x_step, const Py_ssize_t* taps,
                          Py_ssize_t n_taps, Py_ssize_t depth, const char* w, const char* bias,
                          const cf_epilogue* after) noexcept nogil
        void (*outer_tile)(int rows, int vectors, char* sums, Py_ssize_t sums_step,
                           const char* g, Py_ssize_t g_row_step, Py_ssize_t g_step,
                           const char* x, Py_ssize_t x_row_step, Py_ssize_t x_step,
                           Py_ssize_t grid_rows, Py_ssize_t grid_columns) noexcept nogil
        void (*position_tile)(int rows, int vectors, int positions, char* y, Py_ssize_t y_step,
                              const char* x, const Py_ssize_t* offsets, Py_ssize_t depth,
                              const char* w, const char* bias) noexcept nogil
        void (*dot_tile)(int rows, int columns, char* y, Py_ssize_t y_step, const char* x,
                         Py_ssize_t x_step, const char* w, Py_ssize_t w_step, Py_ssize_t depth,
                         const char* bias) noexcept nogil
        void (*rank_update)(Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t depth, char* y,
                            Py_ssize_t y_step, const char* g, Py_ssize_t g_row_step,
                            Py_ssize_t g_step, const char* x, Py_ssize_t x_step) noexcept nogil
        void (*depthwise_tile)(int vectors, int channels, Py_ssize_t positions, char* y,
                               Py_ssize_t y_step, const char* x, Py_ssize_t x_step,
                               const cf_taps* taps, const char* w, const char* bias,
                               const cf_epilogue* after) noexcept nogil
        void (*depthwise_sums)(char* sums, Py_ssize_t sums_step, const char* g,
                               Py_ssize_t g_step, const char* x, Py_ssize_t x_step,
                               Py_ssize_t positions, const cf_taps* taps) noexcept nogil
        void (*copy2d)(char* y, Py_ssize_t y_row_step, Py_ssize_t y_column_step, const char* x,
                       Py_ssize_t x_row_step, Py_ssize_t x_column_step, Py_ssize_t rows,
                       Py_ssize_t columns) noexcept nogil
        void (*add)(char* y, const char* x, Py_ssize_t count) noexcept nogil
        void (*copy_rows)(char* y, const char* x, Py_ssize_t x_row_step, Py_ssize_t rows,
                          Py_ssize_t columns) noexcept nogil
        void (*add_rows)(char* y, Py_ssize_t y_row_step, const char* x, Py_ssize_t rows,
                         Py_ssize_t columns) noexcept nogil
        void (*max_windows)(char* y, Py_ssize_t y_step, unsigned char* winners,
                            Py_ssize_t winners_step, const char* x, Py_ssize_t x_step,
                            Py_ssize_t lane_step, const cf_taps* taps,
                            const unsigned char* firsts, Py_ssize_t runs,
                            Py_ssize_t count) noexcept nogil
        void (*sum_windows)(char* y, Py_ssize_t y_step, const char* x, Py_ssize_t x_step,
                            Py_ssize_t lane_step, const cf_taps* taps, double divisor,
                            Py_ssize_t runs, Py_ssize_t count) noexcept nogil
        void (*route_windows)(char* y, Py_ssize_t y_step, const char* g, Py_ssize_t g_step,
                              const unsigned char* winners, const cf_taps* taps,
                              Py_ssize_t runs, Py_ssize_t count) noexcept nogil
        void (*route_pairs)(char* y, Py_ssize_t y_row_step, const char* g,
                            const unsigned char* winners, Py_ssize_t runs,
                            Py_ssize_t count) noexcept nogil
        void (*spread)(char* y, const char* x, Py_ssize_t stride, double divisor,
                       Py_ssize_t count) noexcept nogil
        void (*place_rows)(char* y, Py_ssize_t y_row_step, const char* x, Py_ssize_t x_row_step,
                           Py_ssize_t x_column_step, Py_ssize_t rows,
                           Py_ssize_t columns) noexcept nogil
        void (*fill)(char* y, double value, Py_ssize_t count) noexcept nogil
        void (*flat_indices)(int64_t* y, const unsigned char* winners, const int64_t* starts,
                             int64_t row_step, int64_t column_step, Py_ssize_t columns,
                             Py_ssize_t runs, Py_ssize_t count) noexcept nogil
        Py_ssize_t (*scatter)(char* x, Py_ssize_t pixel_step, Py_ssize_t lane_step,
                              int64_t pixels, const char* g, Py_ssize_t g_run_step,
                              Py_ssize_t g_step, const char* indices,
                              Py_ssize_t indices_run_step, Py_ssize_t indices_step,
                              Py_ssize_t runs, Py_ssize_t count) noexcept nogil
        void (*sum_spans)(char* y, const char* x, Py_ssize_t x_step, Py_ssize_t count,
                          double divisor, Py_ssize_t planes) noexcept nogil
        void (*max_spans)(char* y, const char* x, Py_ssize_t x_step, Py_ssize_t count,
                          Py_ssize_t planes) noexcept nogil
        void (*route_span)(char* y, const char* g, const char* x,
                           Py_ssize_t count) noexcept nogil
        void (*max_channels)(char* y, const char* x, Py_ssize_t step, Py_ssize_t pixels,
                             Py_ssize_t count) noexcept nogil
        void (*route_channels)(char* y, const char* g, const char* x, Py_ssize_t step,
                               Py_ssize_t pixels, Py_ssize_t count) noexcept nogil
        void (*blend)(char* y, const char* x, Py_ssize_t x_step, const Py_ssize_t* starts,
                      const Py_ssize_t* sources, const char* weights, Py_ssize_t taps,
                      Py_ssize_t targets, Py_ssize_t lanes) noexcept nogil
        const cf_map* maps
        cf_line_operation softmax, log_softmax, softmax_backward, log_softmax_backward
        void (*sgd)(char* values, const char* gradient, char* velocity, Py_ssize_t count,
                    const cf_sgd* settings) noexcept nogil
        void (*adam)(char* values, const char* gradient, char* mean, char* square,
                     Py_ssize_t count, const cf_adam* settings) noexcept nogil
        cf_norm norm
        cf_lrn lrn
        const cf_winograd* winograd

    ctypedef struct cf_isa:
        const char* name
        cf_kernels f32, f64

    const cf_isa* const* cf_supported_isas()
    const char* cf_compiler()


cdef const cf_kernels* kernels_for(Py_ssize_t itemsize) noexcept nogil
