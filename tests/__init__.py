import pytest

# Helpers too are to say what was compared.
pytest.register_assert_rewrite("tests.helpers", "tests.functional", "tests.compat", "tests.cli")
