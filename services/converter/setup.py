"""The native part. Where there is no C compiler the package installs without it, and quantizes with ggml."""

from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "lorag_converter._kquants",
            sorted(glob("native/*.c")),
            depends=sorted(glob("native/*.h")),
            # Without contraction: a fused multiply-add rounds once where ggml rounds twice.
            extra_compile_args=["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno"],
            libraries=["m"],
            optional=True,
        )
    ]
)
